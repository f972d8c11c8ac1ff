import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import { DatabaseSync, StatementSync } from 'node:sqlite'

/** Called around each write to a file system. */
export interface Gate {
  /** @param path - what is written; empty where that is not known, as of standard output */
  isWatched(path: string): boolean
  write<T>(path: string, what: string, act: () => Promise<T>): Promise<T>
  writeSync<T>(path: string, what: string, act: () => T): T
}

type Callable = (this: unknown, ...args: unknown[]) => unknown
type Members = Record<string | symbol, Callable>

/** Those that change what is at a path, which is their first argument. */
const OF_PATHS = [
  'mkdir',
  'writeFile',
  'rename',
  'rm',
  'unlink',
  'rmdir',
  'truncate',
  'chmod',
  'chown',
  'utimes',
] as const
/** Those that make a name of something else, at a path that is their second argument. */
const OF_NEW_NAMES = ['link', 'symlink'] as const
/** Those of an open file. */
const OF_FILES = ['write', 'ftruncate', 'fchmod', 'fchown', 'futimes', 'fsync'] as const
const OF_HANDLES = ['write', 'writeFile', 'truncate', 'sync', 'datasync', 'chmod', 'chown', 'utimes'] as const

/** Watches what this process writes by node:fs and node:sqlite, whoever has imported them. */
export async function watchWrites(gate: Gate): Promise<void> {
  const files = new Map<unknown, string>()
  watchPaths(gate, files)
  watchOpenFiles(gate, files)
  await watchHandles(gate, files)
  watchDatabases(gate)
  syncBuiltinESMExports()
}

function watchPaths(gate: Gate, files: Map<unknown, string>): void {
  for (const [names, at] of [
    [OF_PATHS, 0],
    [OF_NEW_NAMES, 1],
  ] as const) {
    for (const name of names) {
      replace(membersOf(fs.promises), name, (old) => guarded(gate, name, old, (args) => textOf(args[at])))
      replace(membersOf(fs), `${name}Sync`, (old) => guardedSync(gate, name, old, (args) => textOf(args[at])))
    }
  }
  for (const members of [membersOf(fs.promises), membersOf(fs)]) {
    const isSync = members === membersOf(fs)
    replace(members, isSync ? 'openSync' : 'open', (old) => {
      const pathOf = (args: unknown[]) => (isForWriting(args[1]) ? textOf(args[0]) : '')
      const guardedOpen = isSync ? guardedSync(gate, 'open', old, pathOf) : guarded(gate, 'open', old, pathOf)
      const remember = (file: unknown, path: string): unknown => {
        if (gate.isWatched(path)) files.set(file, path)
        return file
      }
      return function (...args) {
        const opened = guardedOpen.apply(this, args)
        const path = textOf(args[0])
        return opened instanceof Promise
          ? opened.then((file) => remember(file, path))
          : remember(opened, path)
      }
    })
  }
}

function watchOpenFiles(gate: Gate, files: Map<unknown, string>): void {
  const pathOf = (args: unknown[]) => files.get(args[0]) ?? ''
  for (const name of OF_FILES) {
    replace(membersOf(fs), `${name}Sync`, (old) => guardedSync(gate, name, old, pathOf))
    // The call is what counts: a process that dies after it dies before the answer.
    replace(membersOf(fs), name, (old) => guardedSync(gate, name, old, pathOf))
  }
  replace(
    membersOf(fs),
    'closeSync',
    (old) =>
      function (...args) {
        files.delete(args[0])
        return old.apply(this, args)
      },
  )
}

async function watchHandles(gate: Gate, files: Map<unknown, string>): Promise<void> {
  const handle = await fs.promises.open('/dev/null')
  const prototype = membersOf(Object.getPrototypeOf(handle) as object)
  await handle.close()
  for (const name of OF_HANDLES)
    replace(
      prototype,
      name,
      (old) =>
        function (...args) {
          return guarded(gate, `handle.${name}`, old, () => files.get(this) ?? '').apply(this, args)
        },
    )
}

function watchDatabases(gate: Gate): void {
  const databases = new WeakMap<object, string>()
  const prototype = membersOf(DatabaseSync.prototype)
  replace(
    prototype,
    'prepare',
    (old) =>
      function (...args) {
        const statement = old.apply(this, args)
        if (statement instanceof StatementSync && this instanceof DatabaseSync)
          databases.set(statement, this.location() ?? '')
        return statement
      },
  )
  replace(
    prototype,
    'exec',
    (old) =>
      function (...args) {
        const path = this instanceof DatabaseSync ? (this.location() ?? '') : ''
        return guardedSync(gate, `sqlite ${String(args[0]).slice(0, 20)}`, old, () => path).apply(this, args)
      },
  )
  replace(
    membersOf(StatementSync.prototype),
    'run',
    (old) =>
      function (...args) {
        const path = this instanceof StatementSync ? (databases.get(this) ?? '') : ''
        return guardedSync(gate, 'sqlite run', old, () => path).apply(this, args)
      },
  )
}

function guarded(gate: Gate, name: string, old: Callable, pathOf: (args: unknown[]) => string): Callable {
  return function (...args) {
    const path = pathOf(args)
    const act = () => old.apply(this, args)
    return gate.isWatched(path) ? gate.write(path, `${name} ${path}`, async () => await act()) : act()
  }
}

function guardedSync(gate: Gate, name: string, old: Callable, pathOf: (args: unknown[]) => string): Callable {
  return function (...args) {
    const path = pathOf(args)
    const act = () => old.apply(this, args)
    return gate.isWatched(path) ? gate.writeSync(path, `${name} ${path}`, act) : act()
  }
}

/** What belongs to a function, such as how it is made into one with a promise, belongs to the one in its place. */
function replace(members: Members, name: string, make: (old: Callable) => Callable): void {
  const old = members[name]
  if (old === undefined) return
  const made = make(old)
  for (const key of Object.getOwnPropertySymbols(old))
    Object.defineProperty(made, key, Object.getOwnPropertyDescriptor(old, key) ?? {})
  members[name] = made
}

function membersOf(holder: object): Members {
  return holder as Members
}

function isForWriting(flags: unknown): boolean {
  if (typeof flags === 'string') return /[wa+]/.test(flags)
  return typeof flags === 'number' && (flags & (fs.constants.O_WRONLY | fs.constants.O_RDWR)) !== 0
}

function textOf(path: unknown): string {
  if (typeof path === 'string') return join(path)
  if (path instanceof Uint8Array) return Buffer.from(path).toString()
  return path instanceof URL ? path.pathname : ''
}
