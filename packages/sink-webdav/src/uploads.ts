import type { PutOptions } from '@pipe-backup/sink'

/** One object of unknown length on its way to a temporary name. */
export interface StreamUpload {
  /** Resolves when there is room for more; the bytes are not needed any more then. */
  write(bytes: Uint8Array): Promise<void>
  /** Resolves when all of it is there under its temporary name, and has been checked. @returns how many bytes */
  end(): Promise<number>
  /** Gives it up: what is under way is stopped. What is left on the server besides the temporary name goes too. */
  abort(): Promise<void>
}

export interface UploadTo {
  /** The temporary name. */
  readonly path: string
  /** The object's, for messages. */
  readonly key: string
}

/** How bytes get to a server and are checked there: what differs between kinds of WebDAV servers. */
export interface Uploads {
  /** Stores bytes under a temporary name and has what arrived checked. @throws SinkError */
  put(to: UploadTo, bytes: Uint8Array, options: PutOptions): Promise<void>
  stream(to: UploadTo, options: PutOptions): StreamUpload
}
