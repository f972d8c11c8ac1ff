import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Entry, SourceError } from '@pipe-backup/source'
import { extract, useWay } from './either-way.ts'
import { directory, file } from './entries.ts'

/** `d:755 path` for a directory, `f:644 path` for a file, `f:644:1000 path` for one of user 1000, `wait` for what never comes, once all files are there, `fail` for a source that ends with an error. */
async function* entriesOf(lines: readonly string[]): AsyncGenerator<Entry> {
  for (const line of lines) {
    const [, type, mode = '644', uid, path = ''] = /^(\w+)(?::(\d+)(?::(\d+))? (.*))?$/.exec(line) ?? []
    const owner = uid === undefined ? {} : { uid: Number(uid) }
    if (type === 'wait') {
      while (lines.some((other) => isMissing(other))) await sleep(10)
      process.stdout.write('waiting\n')
      await sleep(60_000)
    } else if (type === 'fail') throw new Error('the source ends here')
    else if (type === 'd') yield { ...directory(path, Number.parseInt(mode, 8)), ...owner }
    else yield { ...file(path, 'content', { mode: Number.parseInt(mode, 8) }), ...owner }
  }
}

/** Whether a file of these lines has not got its name yet. */
function isMissing(line: string): boolean {
  const path = /^f:[\d:]+ (.*)$/.exec(line)?.[1]
  return path !== undefined && !existsSync(join(target, path))
}

// Extracts what is said into a directory, as whoever it is run as, and prints what came of it.
const [way, target = '', overwrite = '', ...lines] = process.argv.slice(2)
useWay(way === 'by-threads' ? way : 'here')
const problems: string[] = []
try {
  const report = await extract(entriesOf(lines), target, {
    overwrite: overwrite === 'changed' ? 'changed' : 'always',
    onProblem: ({ path, message }) => problems.push(`${path}: ${message}`),
  })
  process.stdout.write(JSON.stringify({ ...report, lines: problems }))
} catch (error) {
  const message = error instanceof Error ? error.message : String(error)
  const hint = error instanceof SourceError ? error.hint : undefined
  process.stdout.write(JSON.stringify({ error: message, hint, lines: problems }))
}
