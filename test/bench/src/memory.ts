import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { makeDataset } from './dataset.ts'
import { measure, programIn } from './measure.ts'
import { machine, writeInto } from './results.ts'

const USAGE = `npm run bench:memory -- [--scales 0.25,1,4] [--work DIRECTORY]

Peak memory of each command at several sizes of the data set of npm run bench. Writes docs/benchmarks.md.`
const DOCUMENT = resolve(import.meta.dirname, '../../../docs/benchmarks.md')
const PHRASE = ['--phrase-file', 'phrase']
const CASES: readonly (readonly [name: string, args: readonly string[]])[] = [
  ['run, all new, a fast sink and one of 20 MB/s', ['run', '--json']],
  ['run, nothing changed', ['run', '--json']],
  ['restore into a directory', ['restore', 'latest', '--to', 'restored', ...PHRASE, '--json']],
  ['ls', ['ls', 'latest', ...PHRASE]],
  ['verify --deep', ['verify', '--deep', ...PHRASE, '--json']],
  ['prune --compact', ['prune', '--compact', '--json']],
]

const { values } = parseArgs({
  options: {
    scales: { type: 'string', default: '0.25,1,4' },
    work: { type: 'string', default: tmpdir() },
    help: { type: 'boolean', short: 'h', default: false },
  },
})
if (values.help) process.stdout.write(`${USAGE}\n`)
else await bench(values.scales.split(',').map(Number))

async function bench(scales: readonly number[]): Promise<void> {
  const columns: (readonly number[])[] = []
  for (const scale of scales) columns.push(await peaksAt(scale))
  const rows = CASES.map(([name], i) => `| ${[name, ...columns.map((peaks) => peaks[i])].join(' | ')} |`)
  const heads = scales.map((scale) => `${Math.round(scale * 100)}%, ${(scale * 2.1).toFixed(1)} GB`)
  const table = [`| peak MiB | ${heads.join(' | ')} |`, `|--${'|--:'.repeat(scales.length)}|`, ...rows]
  const text = `${machine()}.\n\n${table.join('\n')}`
  process.stdout.write(`${text}\n`)
  writeInto(DOCUMENT, text, 'bench:memory')
}

/** Peaks in MiB, in the order of the cases. */
async function peaksAt(scale: number): Promise<readonly number[]> {
  mkdirSync(values.work, { recursive: true })
  const directory = mkdtempSync(join(values.work, 'memory-'))
  try {
    makeDataset(join(directory, 'data'), scale)
    const config = {
      sources: [{ type: 'files', name: 'all', paths: ['data'] }],
      sinks: [
        { type: 'local', name: 'fast', path: 'fast' },
        { type: 'local', name: 'slow', path: 'slow', uploadLimit: '20MB' },
      ],
      copies: 2,
      keep: { last: 1 },
    }
    writeFileSync(join(directory, 'pipe-backup.json'), JSON.stringify(config))
    const peak = async (args: readonly string[]): Promise<number> =>
      Math.round((await measure(programIn(directory, ...args), directory)).peakMib)
    await peak(['init', '--phrase-out', 'phrase'])
    const peaks: number[] = []
    for (const [name, args] of CASES) {
      peaks.push(await peak(args))
      process.stdout.write(`${scale}: ${name}: ${peaks.at(-1)} MiB\n`)
    }
    return peaks
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
