/** Where the objects are. */
export interface Target {
  readonly type: 'ssh' | 'daemon'
  readonly host: string
  readonly user?: string | undefined
  /** Both of a daemon. */
  readonly port?: number | undefined
  readonly module?: string | undefined
  /** The directory on the server, or in the module; empty is where the login begins, or the module's own. */
  readonly path: string
}

const URL =
  /^rsync:\/\/(?:(?<user>[^@/]+)?@)?(?<host>\[[^\]]+\]|[^:/[\]]+)(?::(?<port>\d{1,5}))?\/(?<module>[^/]+)(?:\/(?<path>.*))?$/
const DAEMON = /^(?:(?<user>[^@/]+)@)?(?<host>\[[^\]]+\]|[^:/[\]]+)::(?<module>[^/]+)(?:\/(?<path>.*))?$/
const SSH = /^(?:(?<user>[^@/]+)@)?(?<host>\[[^\]]+\]|[^:/[\]]+):(?!:|\/\/)(?:~(?:\/|$))?(?<path>.*)$/

/**
 * Reads what rsync takes as a remote place: `user@host:path` by ssh, `rsync://user@host:port/module/path` and
 * `user@host::module/path` by a daemon.
 * @throws TypeError that says what it should look like
 */
export function parseTarget(text: string): Target {
  const isUrl = text.startsWith('rsync://')
  const {
    user,
    host,
    port,
    module,
    path = '',
  } = (isUrl ? URL.exec(text) : (DAEMON.exec(text) ?? SSH.exec(text)))?.groups ?? {}
  if (host === undefined) {
    // What may be a password must not be shown.
    const shown = JSON.stringify(text.replace(/:[^@/]*@/, ':…@'))
    throw new TypeError(`the target ${shown} is not user@host:path or rsync://user@host/module/path`)
  }
  if (isUrl && user?.includes(':'))
    throw new TypeError('a password does not belong into the target: give it as `password`')
  // They become arguments of ssh and rsync: none of them may be taken for an option.
  for (const part of [host, user, module]) {
    if (part !== undefined && !/^[^-\s\p{Cc}][^\s\p{Cc}]*$/u.test(part))
      throw new TypeError(`${JSON.stringify(part)} can't be in a target`)
  }
  if (/\p{Cc}/u.test(path)) throw new TypeError('the path of a target has no control characters')
  return {
    type: module === undefined ? 'ssh' : 'daemon',
    host,
    user,
    port: port === undefined ? undefined : Number(port),
    module,
    path: path === '' ? '' : path.replace(/\/+$/, '') || '/',
  }
}

/** The argument by which rsync reaches a directory. */
export function remoteArgument({ type, user, host, port, module }: Target, path: string): string {
  const login = user === undefined ? host : `${user}@${host}`
  // A remote shell reads it.
  if (type === 'ssh') return `${login}:${path.replace(/[^\w./~+@,=:-]/gu, '\\$&')}`
  return `rsync://${login}${port === undefined ? '' : `:${port}`}/${module}/${path}`
}
