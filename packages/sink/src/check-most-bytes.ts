import { SinkError } from './sink-error.ts'

/**
 * For providers: the check of `mostBytes`, before memory is taken for what is read.
 * @param sizeBytes - how many bytes are about to be read
 * @throws SinkError `corrupt`
 */
export function checkMostBytes(
  sizeBytes: number,
  mostBytes: number | undefined,
  place: { readonly sink: string; readonly key: string },
): void {
  if (mostBytes === undefined || sizeBytes <= mostBytes) return
  throw new SinkError('corrupt', `has ${sizeBytes} bytes, and can have ${mostBytes} at most`, place)
}
