/** What the copying thread is given. */
export interface CopyStart {
  /** Absolute path of the database. */
  readonly database: string
  /** An empty file that is to hold the copy. */
  readonly copy: string
  /** An empty file that takes the name of the copy as soon as that is open. */
  readonly decoy: string
  /** How long others may keep it locked, in milliseconds. */
  readonly lockMs: number
  /** Not 0 when nobody wants the copy any more. Shared memory. */
  readonly isStopped: Int32Array
}

/** What it says, once. */
export type CopyEnd =
  | { readonly bytes: number }
  /** SQLite's own code, and its message. */
  | { readonly errorCode: number; readonly message: string }
  /** What a check of the copy has found. */
  | { readonly damage: string }
  | { readonly stopped: true }
