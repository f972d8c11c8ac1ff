import { Readable } from 'node:stream'
import { isKey, type ObjectInfo, toError } from '@pipe-backup/sink'
import type { RsyncServer } from './rsync-server.ts'
import { ProgramFailure } from './run-program.ts'

/** Mode, size, date, time, name: what `--list-only` shows. */
const LINE = /^-\S+ +(\d+) (\d{4})\/(\d\d)\/(\d\d) (\d\d:\d\d:\d\d) (.+)$/
const MISSING = /^rsync: .*link_stat ".*" (\(in .*\) )?failed: (No such file or directory|Not a directory)/
const PARTIAL = 23
const VANISHED = 24

/** Names as numbers without separators, times in UTC: see the environment that rsync gets. */
const AS_LIST = ['--list-only', '--no-human-readable']

/** @returns nothing for a directory, a link, or a name that is no key */
export function parseListed(line: string): ObjectInfo | undefined {
  const [, size, year, month, day, time, key] = LINE.exec(line) ?? []
  if (key === undefined || !isKey(key)) return undefined
  return { key, sizeBytes: Number(size), storedAt: new Date(`${year}-${month}-${day}T${time}Z`) }
}

/** Whether rsync failed for nothing but that what was named is not there. */
export function meansAbsent(error: unknown): boolean {
  if (!(error instanceof ProgramFailure)) return false
  if (error.exitCode === VANISHED) return true
  const lines = error.said.split('\n').filter((line) => line !== '' && !line.startsWith('rsync error:'))
  return error.exitCode === PARTIAL && lines.length > 0 && lines.every((line) => MISSING.test(line))
}

/** Which of these objects there are. @throws ProgramFailure; the signal's reason */
export async function whatIsThere(
  server: RsyncServer,
  keys: readonly string[],
  signal: AbortSignal | undefined,
): Promise<Map<string, ObjectInfo>> {
  const found = new Map<string, ObjectInfo>()
  const wanted = new Set(keys)
  try {
    await server.run({
      direction: 'pull',
      local: '.',
      options: [...AS_LIST, '--no-implied-dirs', '--ignore-missing-args'],
      keys,
      onLine: (line) => {
        const info = parseListed(line)
        if (info && wanted.has(info.key)) found.set(info.key, info)
      },
      signal,
    })
  } catch (error) {
    if (!meansAbsent(error)) throw error
  }
  return found
}

/**
 * Every object below a prefix, as rsync shows them. It is never held up: while a listing hangs, a server that allows one rsync at a
 * time would allow nothing else.
 * @throws ProgramFailure; the signal's reason
 */
export async function* listed(
  server: RsyncServer,
  prefix: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<ObjectInfo> {
  const given = new AbortController()
  const infos = new Readable({ objectMode: true, read: () => undefined })
  server
    .run({
      direction: 'pull',
      local: '.',
      options: [...AS_LIST, '--recursive', ...rulesFor(prefix)],
      signal: signal ? AbortSignal.any([signal, given.signal]) : given.signal,
      onLine: (line) => {
        const info = parseListed(line)
        if (info?.key.startsWith(prefix)) infos.push(info)
      },
    })
    .then(
      () => infos.push(null),
      (cause: unknown) => infos.destroy(toError(cause)),
    )
  try {
    yield* infos as AsyncIterable<ObjectInfo>
  } finally {
    given.abort(new Error('no longer wanted'))
  }
}

/** What is below the prefix and nothing else, named from the root: so a root that is missing is reported from a prefix that is. */
function rulesFor(prefix: string): string[] {
  // No key starts with a dot, and a file system's own snapshots do.
  const hidden = '--exclude=.*'
  if (prefix === '') return [hidden]
  const above = prefix.split('/').slice(0, -1)
  const directories = above.map((_, i) => `/${above.slice(0, i + 1).join('/')}/`)
  return [hidden, ...[...directories, `/${prefix}**`].map((rule) => `--include=${rule}`), '--exclude=*']
}
