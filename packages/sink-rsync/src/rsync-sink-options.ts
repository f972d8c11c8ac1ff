export interface RsyncSinkOptions {
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
  /** Of ssh. Default: that of ~/.ssh/config, or 22; of a daemon 873. */
  readonly port?: number | undefined
  /** File of a private key without a passphrase; one with a passphrase belongs into an agent. Default: those of ~/.ssh/config, and the agent's. */
  readonly identity?: string | undefined
  /** Socket of an agent. Default: that of SSH_AUTH_SOCK. */
  readonly agent?: string | undefined
  /** The server's key: its fingerprint, `SHA256:…`. Without it the key must be in a known_hosts file. */
  readonly hostKey?: string | undefined
  /** Default: those of ~/.ssh/config, or `~/.ssh/known_hosts` and `/etc/ssh/ssh_known_hosts`. */
  readonly knownHosts?: readonly string[] | undefined
}

export interface RsyncServerOptions extends RsyncSinkOptions {
  /** A private one, in which programs run, find and leave their files. */
  readonly directory: string
  /** Called when anything was heard of any rsync. */
  readonly onHeard: () => void
}
