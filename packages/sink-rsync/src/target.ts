/** Where the objects are. */
export type Target =
  | {
      readonly type: 'ssh'
      readonly host: string
      readonly user?: string | undefined
      /** The directory on the server; empty is where the login begins. */
      readonly path: string
    }
  | {
      readonly type: 'daemon'
      readonly host: string
      readonly user?: string | undefined
      readonly port?: number | undefined
      readonly module: string
      /** The directory in the module; empty is the module's own. */
      readonly path: string
    }

const URL = /^rsync:\/\/(?:([^@/]*)@)?(\[[^\]]+\]|[^:/[\]]+)(?::(\d{1,5}))?\/([^/]+)(?:\/(.*))?$/
const DAEMON = /^(?:([^@/]+)@)?(\[[^\]]+\]|[^:/[\]]+)::([^/]+)(?:\/(.*))?$/
const SSH = /^(?:([^@/]+)@)?(\[[^\]]+\]|[^:/[\]]+):(?!:|\/\/)(.*)$/

/**
 * Reads what rsync takes as a remote place: `user@host:path` by ssh, `rsync://user@host:port/module/path` and
 * `user@host::module/path` by a daemon.
 * @throws TypeError that says what it should look like
 */
export function parseTarget(text: string): Target {
  const target = text.startsWith('rsync://') ? parseUrl(text) : (parseDaemon(text) ?? parseSsh(text))
  if (!target) {
    throw new TypeError(
      `the target ${JSON.stringify(withoutPassword(text))} is not user@host:path or rsync://user@host/module/path`,
    )
  }
  // They become arguments of ssh and rsync: none of them may be taken for an option.
  for (const part of [target.host, target.user, target.type === 'daemon' ? target.module : undefined]) {
    if (part !== undefined && !/^[^-\s\p{Cc}][^\s\p{Cc}]*$/u.test(part))
      throw new TypeError(`${JSON.stringify(part)} can't be in a target`)
  }
  if (/[\p{Cc}]/u.test(target.path)) throw new TypeError('the path of a target has no control characters')
  return target
}

function parseUrl(text: string): Target | undefined {
  const [, user, host, port, module, path = ''] = URL.exec(text) ?? []
  if (host === undefined || module === undefined) return undefined
  if (user?.includes(':'))
    throw new TypeError('a password does not belong into the target: give it as `password`')
  return {
    type: 'daemon',
    host,
    module,
    path: trim(path),
    ...(user !== undefined && user !== '' && { user }),
    ...(port !== undefined && { port: Number(port) }),
  }
}

function parseDaemon(text: string): Target | undefined {
  const [, user, host, module, path = ''] = DAEMON.exec(text) ?? []
  if (host === undefined || module === undefined) return undefined
  return { type: 'daemon', host, module, path: trim(path), user }
}

function parseSsh(text: string): Target | undefined {
  const [, user, host, path] = SSH.exec(text) ?? []
  if (host === undefined || path === undefined) return undefined
  return { type: 'ssh', host, path: trim(path.replace(/^~(\/|$)/, '')), user }
}

function trim(path: string): string {
  return path === '' ? '' : path.replace(/\/+$/, '') || '/'
}

/** What may be a password must not be shown. */
function withoutPassword(text: string): string {
  return text.replace(/:[^@/]*@/, ':…@')
}

/** The argument by which rsync reaches a directory. */
export function remoteArgument(target: Target, path: string): string {
  const user = target.user === undefined ? '' : `${target.user}@`
  if (target.type === 'ssh') return `${user}${target.host}:${path}`
  const port = target.port === undefined ? '' : `:${target.port}`
  return `rsync://${user}${target.host}${port}/${target.module}/${path}`
}
