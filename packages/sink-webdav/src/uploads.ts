import type { PutOptions, UploadBody } from '@pipe-backup/sink'

export interface UploadTo {
  /** The temporary name. */
  readonly path: string
  /** The object's, for messages. */
  readonly key: string
}

/** How bytes get to a server and are checked there: what differs between kinds of WebDAV servers. */
export interface Uploads {
  /**
   * Stores bytes under a temporary name and has what arrived checked. When it fails, what is left on the server besides the temporary name goes.
   * @returns how many there were @throws SinkError
   */
  upload(to: UploadTo, body: UploadBody, options: PutOptions): Promise<number>
}
