import type { SshLogin } from './ssh-connection.ts'

export interface RsyncSinkOptions extends SshLogin {
  readonly name: string
  /**
   * The directory: `user@host:path` by ssh, the path absolute or below the one where the login begins; `rsync://user@host/module/path`
   * by a daemon, over ssh when any of the options of ssh is given.
   */
  readonly target: string
  /** Of a daemon's user. */
  readonly password?: string | undefined
  /** Make the directory when it is missing. Default false: a disk that the server has lost must not be taken for an empty one. */
  readonly create?: boolean | undefined
  /** The server refuses to delete: rrsync -no-del, a daemon's `refuse options = delete`. It may let objects be replaced. Default false. */
  readonly appendOnly?: boolean | undefined
  /** A directory on a tmpfs, for the files that rsync sends and receives. Default `/dev/shm`, or the user's runtime directory. */
  readonly spool?: string | undefined
  /** How many bytes of objects may be in it, for each direction: also the largest object. Default 256 MiB. */
  readonly spoolBytes?: number | undefined
  /** What rsync is called on the server. Default `rsync`. */
  readonly rsyncPath?: string | undefined
}
