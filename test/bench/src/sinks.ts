import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { parseArgs } from 'node:util'
import type { Sink } from '@pipe-backup/sink'
import { MAIN, Sandbox } from '@pipe-backup-test/e2e'
import { SixPlaces, SixServers } from '@pipe-backup-test/e2e/six-places'
import { ensureDebianPackages } from '@pipe-backup-test/services'
import { machine, median, writeInto } from './results.ts'
import { AT_ONCE, type Contest, contests } from './sink-rivals.ts'

const USAGE = `npm run bench:sinks -- [--rounds 3] [--only SINK | --only six]

Each network sink beside its provider's usual client, with the same files to the same server on this machine; then a run into
six places at once. Without --only docs/benchmarks.md is written.`
const DOCUMENT = resolve(import.meta.dirname, '../../../docs/benchmarks.md')
const MIB = 1024 * 1024
const FILES = 30
const FILE_BYTES = 16 * MIB
/** Of the run into six places. */
const SMALL_FILES = 20_000
const LARGE_MIB = 600
const TOTAL_MIB = (FILES * FILE_BYTES) / MIB

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    only: { type: 'string' },
    help: { type: 'boolean', short: 'h', default: false },
  },
})
if (values.help) say(USAGE)
else await bench()

interface Row {
  readonly sink: string
  readonly server: string
  readonly work: string
  readonly rival: string
  /** MiB a second, of each round. */
  readonly ours: number[]
  readonly theirs: number[]
}

async function bench(): Promise<void> {
  ensureDebianPackages(['rclone', 'curl', 'openssh-client', 'rsync'])
  // In memory, so that the disk is the server's alone.
  const work = mkdtempSync('/dev/shm/pipe-backup-bench-')
  try {
    const files = makeFiles(work)
    const rows: Row[] = []
    for (const open of values.only === 'six' ? [] : contests) {
      await using contest = await open()
      if (values.only !== undefined && contest.sink.name !== values.only) continue
      rows.push(...(await compete(contest, files, work)))
    }
    const six = values.only === undefined || values.only === 'six' ? await sixAtOnce() : ''
    const text = [`${machine()}. Medians of ${values.rounds} rounds.`, table(rows), six].join('\n\n')
    say(`\n${text}`)
    if (values.only === undefined) writeInto(DOCUMENT, text, 'bench:sinks')
  } finally {
    rmSync(work, { recursive: true })
  }
}

interface Files {
  readonly directory: string
  readonly large: string
  readonly packs: readonly { readonly bytes: Buffer; readonly sha256: string }[]
}

function makeFiles(work: string): Files {
  const directory = join(work, 'files')
  mkdirSync(directory)
  const packs = Array.from({ length: FILES }, () => {
    const bytes = randomBytes(FILE_BYTES)
    return { bytes, sha256: createHash('sha256').update(bytes).digest('hex') }
  })
  const names = packs.map((_, i) => `file-${i}`)
  for (const [i, { bytes }] of packs.entries()) writeFileSync(join(directory, names[i] ?? ''), bytes)
  writeFileSync(join(directory, '.list'), names.join('\n'))
  const large = join(work, 'large')
  writeFileSync(large, Buffer.concat(packs.map(({ bytes }) => bytes)))
  return { directory, large, packs }
}

async function compete({ sink, server, rival }: Contest, files: Files, work: string): Promise<Row[]> {
  const { name } = sink
  const row = (what: string): Row => ({
    sink: name,
    server,
    work: what,
    rival: rival.name,
    ours: [],
    theirs: [],
  })
  const [put, get, stream] = [row('put'), row('get'), row('stream')]
  const { directory, large, packs } = files
  for (let round = 0; round < Number(values.rounds); round++) {
    const key = (i: number): string => `round-${round}/${i % 4}/${i}`
    put.ours.push(await speed(() => inParallel((i) => putPack(sink, key(i), packs[i]))))
    put.theirs.push(await speed(() => rival.put(directory)))
    get.ours.push(await speed(() => inParallel(async (i) => await sink.get(key(i)))))
    if (rival.get) {
      const target = mkdtempSync(join(work, 'got-'))
      get.theirs.push(await speed(() => rival.get?.(target)))
      rmSync(target, { recursive: true })
    }
    const pieces = packs.map(({ bytes }) => bytes)
    stream.ours.push(
      await speed(() => pipeline(Readable.from(pieces), sink.createWriteStream(`streamed-${round}`))),
    )
    if (rival.stream) stream.theirs.push(await speed(() => rival.stream?.(large)))
    for (const { work: what, ours, theirs } of [put, get, stream])
      say(
        `${name} ${server} ${what}: ${shown(ours.slice(-1))} against ${shown(theirs.slice(-1))} MiB/s of ${rival.name}`,
      )
  }
  return [put, get, stream]
}

async function putPack(sink: Sink, key: string, pack: Files['packs'][number] | undefined): Promise<void> {
  if (pack) await sink.put(key, pack.bytes, { sha256: pack.sha256 })
}

async function inParallel(work: (i: number) => Promise<unknown>): Promise<void> {
  const left = Array.from({ length: FILES }, (_, i) => i).values()
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (const i of left) await work(i)
    }),
  )
}

/** @returns MiB a second */
async function speed(work: () => unknown): Promise<number> {
  const started = performance.now()
  await work()
  return TOTAL_MIB / ((performance.now() - started) / 1000)
}

function shown(values: readonly number[]): string {
  return values.length === 0 ? '-' : median(values).toFixed(0)
}

function table(rows: readonly Row[]): string {
  return [
    '| sink | server | | MiB/s | usual client | MiB/s | ratio |',
    '|--|--|--|--|--|--|--|',
    ...rows.map(({ sink, server, work, rival, ours, theirs }) => {
      const ratio = theirs.length === 0 ? '' : (median(ours) / median(theirs)).toFixed(2)
      return `| ${[sink, server, work, shown(ours), theirs.length === 0 ? '-' : rival, shown(theirs), ratio].join(' | ')} |`
    }),
  ].join('\n')
}

/** A run into a disk, S3, Nextcloud, Dropbox, SFTP and rsync at once. @returns a paragraph on it */
async function sixAtOnce(): Promise<string> {
  await using servers = await SixServers.start()
  using sandbox = new Sandbox()
  const tree = sandbox.path('tree')
  mkdirSync(join(tree, 'small'), { recursive: true })
  for (let i = 0; i < SMALL_FILES; i++) writeFileSync(join(tree, 'small', `f${i}`), `file ${i} `.repeat(400))
  writeFileSync(join(tree, 'large'), randomBytes(LARGE_MIB * MIB))
  const places = new SixPlaces(servers, sandbox)
  sandbox.configure({ sources: [{ type: 'files', name: 'tree', paths: [tree] }], sinks: places.configs() })
  await sandbox.ok(['init', '--phrase-out', 'phrase'])
  const first = await watched(sandbox, ['run', '--json'])
  const again = await watched(sandbox, ['run', '--json'])
  const { sinks, copies } = JSON.parse(first.stdout.trim().split('\n').at(-1) ?? '') as {
    copies: number
    sinks: { name: string; bytesSent: number }[]
  }
  const sent = sinks.reduce((sum, { bytesSent }) => sum + bytesSent, 0) / 1e6
  return (
    `**Six at once** (a disk, S3, Nextcloud, Dropbox's stand-in, SFTP, rsync; all servers on the same two cores): ${SMALL_FILES.toLocaleString('en-US')} small files and ${LARGE_MIB} MiB of random bytes ` +
    `into ${copies} places in ${first.seconds.toFixed(0)} s, ${sent.toFixed(0)} MB sent in all, peak ${first.peakMib.toFixed(0)} MiB. ` +
    `Nothing changed: ${again.seconds.toFixed(1)} s, peak ${again.peakMib.toFixed(0)} MiB.`
  )
}

/** Runs the command and looks at its memory, as the kernel counts it. */
async function watched(
  sandbox: Sandbox,
  args: readonly string[],
): Promise<{ stdout: string; seconds: number; peakMib: number }> {
  const started = performance.now()
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd: sandbox.root,
    env: { ...process.env, ...sandbox.environment() },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const chunks: Buffer[] = []
  let peakMib = 0
  const timer = setInterval(() => {
    try {
      const status = readFileSync(`/proc/${child.pid}/status`, 'utf8')
      peakMib = Math.max(peakMib, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024)
    } catch {
      // It has just ended.
    }
  }, 20)
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
  const code = await new Promise<number | null>((done) => child.on('close', done))
  clearInterval(timer)
  if (code !== 0) throw new Error(`the run into six places exited with ${code}`)
  return { stdout: Buffer.concat(chunks).toString(), seconds: (performance.now() - started) / 1000, peakMib }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
