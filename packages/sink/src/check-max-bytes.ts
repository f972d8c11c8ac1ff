import { SinkError } from './sink-error.ts'

/**
 * For providers: the check of `maxBytes`, before memory is taken for what is read.
 * @param sizeBytes - how many bytes are about to be read
 * @throws SinkError `corrupt`
 */
export function checkMaxBytes(
  sizeBytes: number,
  maxBytes: number | undefined,
  place: { readonly sink: string; readonly key: string },
): void {
  if (maxBytes === undefined || sizeBytes <= maxBytes) return
  throw new SinkError('corrupt', `has ${sizeBytes} bytes, and can have ${maxBytes} at most`, place)
}
