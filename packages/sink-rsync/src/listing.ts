import { isKey, type ObjectInfo } from '@pipe-backup/sink'
import { PARTIAL, ProgramFailure, VANISHED } from './run-program.ts'

/** Mode, size, date, time, name: what `--list-only` shows. */
const LINE = /^-\S+ +(\d+) (\d{4})\/(\d\d)\/(\d\d) (\d\d:\d\d:\d\d) (.+)$/
const MISSING = /^rsync: .*link_stat ".*" (\(in .*\) )?failed: (No such file or directory|Not a directory)/

/** Names as numbers without separators, times in UTC: see the environment that rsync gets. */
export const AS_LIST: readonly string[] = ['--list-only', '--no-human-readable']

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

/** What is below the prefix and nothing else, named from the root: so a root that is missing is reported from a prefix that is. */
export function below(prefix: string): string[] {
  const rules = rulesFor([`${prefix}**`]).map((rule) => `--include=${rule}`)
  // No key starts with a dot, and a file system's own snapshots do.
  return ['--exclude=.*', ...(prefix === '' ? [] : [...rules, '--exclude=*'])]
}

/** Whole names from the root, and the directories above them: `/packs/`, `/packs/ab/`, `/packs/ab/abcd`. */
export function rulesFor(keys: Iterable<string>): string[] {
  const rules = new Set<string>()
  for (const key of keys) {
    for (let at = key.indexOf('/'); at >= 0; at = key.indexOf('/', at + 1))
      rules.add(`/${key.slice(0, at + 1)}`)
    rules.add(`/${key}`)
  }
  return [...rules]
}
