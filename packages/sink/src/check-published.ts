import { SinkError } from './sink-error.ts'

export interface Published {
  /** The sink's name in the configuration. */
  readonly sink: string
  readonly key: string
  /** How many bytes were sent. */
  readonly sentBytes: number
  /** What the sink shows under the object's own name; undefined when it shows nothing there. */
  readonly thereBytes: number | undefined
}

/**
 * What a server answers to a link, a rename, a move or an assembly is believed only when the object is there: some answer OK and do
 * nothing. To be asked before the temporary object is deleted, which may be the only one.
 * @throws SinkError `protocol` when nothing is there, `corrupt` when it has another length
 */
export function checkPublished({ sink, key, sentBytes, thereBytes }: Published): void {
  if (thereBytes === sentBytes) return
  if (thereBytes === undefined) {
    throw new SinkError(
      'protocol',
      'not stored: the server says that it is, and has nothing under its name',
      {
        sink,
        key,
        hint: 'Does something delete or move what is stored there, or does its software not do what it says?',
      },
    )
  }
  throw new SinkError('corrupt', `of ${sentBytes} bytes that were sent ${thereBytes} are under its name`, {
    sink,
    key,
    hint: 'Does somebody else write to the same place? If not, look for limits in the server’s configuration.',
  })
}
