import { randomBytes } from 'node:crypto'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { Sandbox } from '@pipe-backup-test/e2e'
import { SlowLine, startS3 } from '@pipe-backup-test/services'
import { type Command, MAIN, measure, toNowhere } from './measure.ts'
import { machine, writeInto } from './results.ts'

const USAGE = `npm run bench:far

An S3 server behind a line of 100 Mbit/s and 40 ms, a vault and a restic repository of 24 hours there, and what a person then
waits for. Writes docs/benchmarks.md.`
const DOCUMENT = resolve(import.meta.dirname, '../../../docs/benchmarks.md')
const BYTES_PER_SECOND = 12_500_000
const ROUND_TRIP_MS = 40
const LARGE_FILES = 40
const LARGE_BYTES = 5_000_000
const SMALL_FILES = 5_000
const HOURS = 24

const { values } = parseArgs({ options: { help: { type: 'boolean', short: 'h', default: false } } })
if (values.help) process.stdout.write(`${USAGE}\n`)
else await bench()

async function bench(): Promise<void> {
  using sandbox = new Sandbox()
  await using server = await startS3()
  await using line = new SlowLine(BYTES_PER_SECOND, ROUND_TRIP_MS)
  const endpoint = `http://127.0.0.1:${await line.to(server)}`
  const { region, accessKeyId, secretAccessKey } = server
  const data = sandbox.path('data')
  for (let i = 0; i < LARGE_FILES; i++) put(data, `large/${i}`, randomBytes(LARGE_BYTES))
  for (let i = 0; i < SMALL_FILES; i++) put(data, smallPath(i), randomBytes(1500).toString('base64'))

  sandbox.configure({
    sources: [{ type: 'files', name: 'data', paths: ['data'] }],
    sinks: [{ type: 's3', name: 'far', bucket: 'far', endpoint, region, accessKeyId, secretAccessKey }],
    keep: { hourly: 24, daily: 7, weekly: 4, monthly: 12 },
  })
  const ours = (...args: string[]): Command => ({
    file: process.execPath,
    args: [MAIN, ...args],
    cwd: sandbox.root,
    env: sandbox.environment(),
  })
  const phrase = ['--phrase-file', 'phrase']
  const restic = (...args: string[]): Command => ({
    file: 'restic',
    args: ['--quiet', '--cache-dir', sandbox.path('cache'), '--repo', `s3:${endpoint}/restic`, ...args],
    env: {
      RESTIC_PASSWORD: 'far',
      RESTIC_PROGRESS_FPS: '0',
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
      AWS_DEFAULT_REGION: region,
    },
  })
  /** Nothing is left but what is stored. */
  const forget = () => {
    rmSync(sandbox.path('home', 'state'), { recursive: true, force: true })
    rmSync(sandbox.path('cache'), { recursive: true, force: true })
  }
  const restored = (who: string): string => {
    const directory = sandbox.path(`restored-${who}`)
    rmSync(directory, { recursive: true, force: true })
    mkdirSync(directory)
    return directory
  }
  const rows: string[] = []
  const both = async (what: string, mine: Command, theirs: Command) => {
    const { wallSeconds: a } = await measure(toNowhere(mine), sandbox.root)
    const { wallSeconds: b } = await measure(toNowhere(theirs), sandbox.root)
    rows.push(`| ${[what, a.toFixed(1), b.toFixed(1), (a / b).toFixed(2)].join(' | ')} |`)
    process.stdout.write(`${rows.at(-1)}\n`)
  }

  await sandbox.ok(['init', '--phrase-out', 'phrase'])
  await measure(restic('init'), sandbox.root)
  const backup = [ours('run', '--quiet'), restic('backup', data)] as const
  await both('first run', ...backup)
  await both('nothing changed', ...backup)
  for (let hour = 0; hour < HOURS; hour++) {
    for (let i = 0; i < 20; i++)
      put(data, smallPath((hour * 20 + i) * 7), randomBytes(1500).toString('base64'))
    if (hour === HOURS - 1) await both('20 small files changed', ...backup)
    else for (const command of backup) await measure(toNowhere(command), sandbox.root)
  }
  await both('snapshots', ours('snapshots'), restic('snapshots'))
  forget()
  const one = join(data, smallPath(4))
  await both(
    'one file to standard output, state lost',
    ours('cat', 'latest', `data${one}`, ...phrase),
    restic('dump', 'latest', one),
  )
  await both('ls, all', ours('ls', 'latest', ...phrase), restic('ls', 'latest'))
  forget()
  await both(
    'restore, state lost',
    ours('restore', 'latest', '--to', restored('ours'), ...phrase),
    restic('restore', 'latest', '--target', restored('theirs')),
  )
  await both('verify, every byte', ours('verify', '--quiet'), restic('check', '--read-data'))
  await both('prune', ours('prune', '--force', '--quiet'), restic('forget', '--keep-hourly', '24', '--prune'))
  const lineSeconds = (LARGE_FILES * LARGE_BYTES) / BYTES_PER_SECOND
  const text = [
    `${machine()}. A line of 100 Mbit/s and 40 ms there and back; the large files alone take it ${lineSeconds.toFixed(0)} s.`,
    ['| seconds | pipe-backup | restic | ratio |', '|--|--:|--:|--:|', ...rows].join('\n'),
  ].join('\n\n')
  writeInto(DOCUMENT, text, 'bench:far')
}

function smallPath(i: number): string {
  return `small/d${Math.floor(i / 100)}/${i}.txt`
}

function put(directory: string, name: string, content: string | Buffer): void {
  const path = join(directory, name)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, content)
}
