import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { ensureDebianPackages } from '@pipe-backup-test/services'
import { makeDataset } from './dataset.ts'
import { type Command, measure, programIn, warm } from './measure.ts'
import { type Hot, record } from './perf.ts'
import { machine, median, writeInto } from './results.ts'

const USAGE = `npm run bench:stages -- [--scale 1] [--rounds 3] [--work DIRECTORY]

What the processors do in a first run, a restore and a verify --deep of the data set of npm run bench, and what one core more
or less changes. Needs perf, and to be allowed to use it. Writes docs/benchmarks.md.`
const DOCUMENT = resolve(import.meta.dirname, '../../../docs/benchmarks.md')
/** Of the data set at scale 1. */
const GB = 2.1
const PHRASE = ['--phrase-file', 'phrase']

/** What takes time, by the names of the functions that take it: the first that fits. */
const STAGES: readonly (readonly [name: string, is: (hot: Hot) => boolean])[] = [
  ['system calls: files, memory', ({ object }) => object.startsWith('[kernel')],
  ['SHA-256: ids, proofs, packs', ({ symbol }) => /^sha256/i.test(symbol)],
  ['zstd, decompressing', ({ symbol }) => /^(ZSTD|HUF|FSE)_.*(decompress|DTable|DCtx|decode)/i.test(symbol)],
  ['zstd, compressing', ({ symbol }) => /^(ZSTD|HUF|FSE|HIST)_/.test(symbol)],
  ['ChaCha20-Poly1305', ({ symbol }) => /chacha|poly1305/i.test(symbol)],
  ['CRC-32: of the state, of what waits', ({ symbol }) => /crc32/i.test(symbol)],
  ['cutting chunks', ({ symbol }) => /^JS:\S*scan /.test(symbol)],
  ['local state (SQLite)', ({ symbol }) => /^(sqlite3|vdbe|pcache|btree|cellSize)/i.test(symbol)],
  ['copying', ({ symbol }) => /mem(move|cpy|set|cmp)/.test(symbol)],
  [
    'collecting garbage, compiling',
    ({ thread, symbol }) =>
      thread === 'V8Worker' ||
      /(Scaveng|Mark|Sweep|Collector|ArrayBufferSweeper|compiler|maglev)/.test(symbol),
  ],
  ['JavaScript', ({ object, symbol }) => object.startsWith('[JIT]') || symbol.startsWith('Builtins_')],
  ['the rest of Node.js', () => true],
]
const THREADS: readonly (readonly [name: string, comm: string])[] = [
  ['main thread', 'MainThread'],
  ['sealing, opening, writing', 'WorkerThread'],
  ["V8's helpers", 'V8Worker'],
  ['file system calls (libuv)', 'libuv-worker'],
]

interface Case {
  readonly name: string
  readonly command: Command
  /** Makes what the command begins with. */
  readonly before: () => Promise<void>
}

const { values } = parseArgs({
  options: {
    scale: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '3' },
    work: { type: 'string', default: tmpdir() },
    help: { type: 'boolean', short: 'h', default: false },
  },
})
if (values.help) process.stdout.write(`${USAGE}\n`)
else await bench(Number(values.scale), Number(values.rounds))

async function bench(scale: number, rounds: number): Promise<void> {
  ensureDebianPackages(['linux-perf', 'time', 'util-linux'])
  mkdirSync(values.work, { recursive: true })
  const work = mkdtempSync(join(values.work, 'stages-'))
  try {
    const cases = await prepare(work, scale)
    const profiles: (readonly Hot[])[] = []
    const walls: (readonly [one: number, all: number])[] = []
    for (const { name, command, before } of cases) {
      await before()
      profiles.push(await record(command, work))
      const one: number[] = []
      const all: number[] = []
      for (let round = 0; round < rounds; round++) {
        await before()
        one.push((await measure(onOneCore(command), work)).wallSeconds)
        await before()
        all.push((await measure(command, work)).wallSeconds)
      }
      walls.push([median(one), median(all)])
      process.stdout.write(
        `${name}: ${median(one).toFixed(1)} s on one core, ${median(all).toFixed(1)} s on all\n`,
      )
    }
    const names = cases.map(({ name }) => name)
    const text = [`${machine()}.`, stages(names, profiles, GB * scale), threads(names, profiles, walls)].join(
      '\n\n',
    )
    process.stdout.write(`${text}\n`)
    if (scale === 1) writeInto(DOCUMENT, text, 'bench:stages')
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

async function prepare(work: string, scale: number): Promise<readonly Case[]> {
  const data = join(work, 'data')
  makeDataset(data, scale)
  const config = {
    sources: [{ type: 'files', name: 'all', paths: ['data'] }],
    sinks: [{ type: 'local', name: 'disk', path: 'disk' }],
    copies: 1,
  }
  writeFileSync(join(work, 'pipe-backup.json'), JSON.stringify(config))
  const remove = (name: string) => rmSync(join(work, name), { recursive: true, force: true })
  const empty = async () => {
    for (const name of ['disk', '.local', '.config', 'phrase']) remove(name)
    mkdirSync(join(work, 'disk'))
    await measure(programIn(work, 'init', '--quiet', '--phrase-out', 'phrase'), work)
    await warm(data)
  }
  return [
    { name: 'first run', command: programIn(work, 'run', '--json'), before: empty },
    {
      name: 'restore',
      command: programIn(work, 'restore', 'latest', '--to', 'restored', '--quiet', ...PHRASE),
      before: async () => remove('restored'),
    },
    {
      name: 'verify --deep',
      command: programIn(work, 'verify', '--deep', '--quiet', ...PHRASE),
      before: async () => remove('restored'),
    },
  ]
}

function onOneCore({ file, args, ...options }: Command): Command {
  return { file: 'taskset', args: ['--cpu-list', '0', file, ...args], ...options }
}

/** Seconds of a processor for each GB of the data set. */
function stages(names: readonly string[], profiles: readonly (readonly Hot[])[], gb: number): string {
  const perGb = (hot: readonly Hot[]) => (sum(hot) / gb).toFixed(2)
  const stageOf = (hot: Hot) => STAGES.find(([, is]) => is(hot))?.[0]
  const rows = STAGES.map(([stage]) => [
    stage,
    ...profiles.map((profile) => perGb(profile.filter((hot) => stageOf(hot) === stage))),
  ])
  return grid(['CPU s per GB', ...names], [...rows, ['all', ...profiles.map(perGb)]])
}

/** What each kind of thread has of the work, and what a machine of more cores could give. */
function threads(
  names: readonly string[],
  profiles: readonly (readonly Hot[])[],
  walls: readonly (readonly [one: number, all: number])[],
): string {
  const of = (profile: readonly Hot[], comm: string) => sum(profile.filter(({ thread }) => thread === comm))
  const rows = THREADS.map(([name, comm]) => [
    name,
    ...profiles.map((profile) => `${((of(profile, comm) / sum(profile)) * 100).toFixed(0)}%`),
  ])
  const least = profiles.map((profile) => of(profile, 'MainThread').toFixed(1))
  return grid(
    ['', ...names],
    [
      ...rows,
      ['seconds on one core', ...walls.map(([one]) => one.toFixed(1))],
      ['seconds on all of this machine', ...walls.map(([, all]) => all.toFixed(1))],
      ['seconds of the main thread: no number of cores takes less', ...least],
    ],
  )
}

function grid(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(head), `|--${'|--:'.repeat(head.length - 1)}|`, ...rows.map(line)].join('\n')
}

function sum(hot: readonly Hot[]): number {
  return hot.reduce((seconds, one) => seconds + one.seconds, 0)
}
