import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { GrowthHome } from './growth-home.ts'
import type { Sample } from './measure.ts'
import { plot } from './plot.ts'
import { random, randomBytes } from './random.ts'
import { machine, writeInto } from './results.ts'

const USAGE = `npm run bench:growth -- [--only files,bytes,snapshots,hosts] [--most 1] [--work DIRECTORY]

Time and memory of each command while one thing grows. --most 0.1 leaves out the largest size of each. Writes docs/benchmarks.md and its plots.`
const DOCS = resolve(import.meta.dirname, '../../../docs')

interface Growth {
  readonly what: string
  readonly sizes: readonly number[]
  /** Makes a vault of this size. @param time - measures a command, under a name */
  readonly measure: (directory: string, size: number, time: Timed) => Promise<void>
}

type Timed = (name: string, home: GrowthHome, ...args: string[]) => Promise<void>

const FILES = { type: 'files', paths: ['data'] }

const GROWTHS: Readonly<Record<string, Growth>> = {
  files: {
    what: 'small files',
    sizes: [1_000, 10_000, 100_000, 1_000_000],
    async measure(directory, size, time) {
      const home = await GrowthHome.create(directory, FILES)
      writeSmallFiles(home, size)
      await time('first run', home, 'run', '--quiet')
      await time('nothing changed', home, 'run', '--quiet')
      await time('ls', home, 'ls', 'latest', 'PHRASE')
      await time('find', home, 'find', '*7.txt', 'PHRASE')
      await time('restore', home, 'restore', 'latest', '--to', 'restored', '--quiet', 'PHRASE')
      await time('verify --deep', home, 'verify', '--deep', '--quiet', 'PHRASE')
    },
  },
  bytes: {
    what: 'GB of one stream',
    sizes: [0.1, 1, 10, 100],
    async measure(directory, size, time) {
      const home = await GrowthHome.create(directory, {
        type: 'command',
        run: [process.execPath, 'make.js'],
        path: 'stream',
      })
      // Each block is another one, and compresses to a hundredth: what is stored would not fit otherwise.
      writeFileSync(join(home.directory, 'make.js'), STREAM.replace('GIGABYTES', String(size)))
      await time('first run', home, 'run', '--quiet')
      await time('the same again', home, 'run', '--quiet')
      await time('restore to a pipe', home, 'cat', 'latest', 'data/stream', 'PHRASE')
      await time('verify --deep', home, 'verify', '--deep', '--quiet', 'PHRASE')
    },
  },
  snapshots: {
    what: 'snapshots',
    sizes: [10, 100, 1_000, 10_000],
    async measure(directory, size, time) {
      const home = await GrowthHome.create(directory, FILES)
      writeSmallFiles(home, 200)
      await home.addSnapshots(size, (i) => writeSmallFile(home, i % 200, i))
      await timeVault(home, time)
    },
  },
  hosts: {
    what: 'hosts',
    sizes: [10, 100, 1_000],
    async measure(directory, size, time) {
      const home = await GrowthHome.create(directory, FILES)
      await home.addHosts(size, (i) => {
        for (let file = 0; file < 20; file++) writeSmallFile(home, file, i)
      })
      await timeVault(home, time)
      await time('key hosts', home, 'key', 'hosts')
    },
  },
}

const STREAM = `
const { createCipheriv } = require('node:crypto')
const BLOCK = 1 << 20
let left = GIGABYTES * 1e9
const random = createCipheriv('aes-256-ctr', Buffer.alloc(32, 5), Buffer.alloc(16))
const write = () => {
  while (left > 0) {
    const block = Buffer.alloc(Math.min(left, BLOCK))
    // A hundredth is new, again and again: each part of 64 KiB repeats its first 655 bytes.
    for (let at = 0; at < block.length; at += 65536) {
      const part = block.subarray(at, at + 65536)
      part.fill(random.update(Buffer.alloc(655)))
    }
    left -= block.length
    if (!process.stdout.write(block)) return process.stdout.once('drain', write)
  }
}
write()
`

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: Object.keys(GROWTHS).join(',') },
    most: { type: 'string', default: '1' },
    work: { type: 'string', default: tmpdir() },
    help: { type: 'boolean', short: 'h', default: false },
  },
})
if (values.help) process.stdout.write(`${USAGE}\n`)
else for (const name of values.only.split(',')) await grow(name, Number(values.most))

async function grow(name: string, most: number): Promise<void> {
  const growth = GROWTHS[name]
  if (!growth) throw new Error(`nothing called ${name} grows here`)
  const directory = join(values.work, `growth-${name}`)
  const largest = Math.max(...growth.sizes) * most
  const sizes = growth.sizes.filter((size) => size <= largest)
  const samples = new Map<string, (Sample & { readonly size: number })[]>()
  for (const size of sizes) {
    await growth.measure(directory, size, async (command, home, ...args) => {
      const sample = await home.run(...args)
      samples.set(command, [...(samples.get(command) ?? []), { ...sample, size }])
      process.stdout.write(`${size} ${growth.what}: ${command}: ${shown(sample)}\n`)
    })
  }
  rmSync(directory, { recursive: true, force: true })
  const panel = (label: string, figure: (sample: Sample) => number) => ({
    label,
    series: [...samples].map(([command, measured]) => ({
      name: command,
      points: measured.map((sample) => [sample.size, figure(sample)] as const),
    })),
  })
  const title = `Time and memory with more ${growth.what}`
  const svg = plot(title, growth.what, [
    panel('seconds', ({ wallSeconds }) => wallSeconds),
    panel('peak MiB', ({ peakMib }) => peakMib),
  ])
  writeFileSync(join(DOCS, `growth-${name}.svg`), svg)
  const rows = [...samples].map(
    ([command, measured]) => `| ${[command, ...measured.map(shown)].join(' | ')} |`,
  )
  const head = `| ${[growth.what, ...sizes.map((size) => size.toLocaleString('en'))].join(' | ')} |`
  const table = [head, `|--${'|--:'.repeat(sizes.length)}|`, ...rows].join('\n')
  const text = `${machine()}.\n\n![${title}](growth-${name}.svg)\n\n${table}`
  writeInto(join(DOCS, 'benchmarks.md'), text, `bench:growth, ${name}`)
}

function shown({ wallSeconds, peakMib }: Sample): string {
  return `${wallSeconds.toFixed(wallSeconds < 10 ? 2 : 0)} s, ${peakMib.toFixed(0)} MiB`
}

/** What a person asks of a vault that holds much. */
async function timeVault(home: GrowthHome, time: Timed): Promise<void> {
  await time('first run of a host', home, 'run', '--quiet')
  await time('nothing changed', home, 'run', '--quiet')
  await time('snapshots', home, 'snapshots', 'PHRASE')
  await time('ls', home, 'ls', 'latest', 'PHRASE')
  await time('find in all', home, 'find', '*17.txt', 'PHRASE')
  await time('verify', home, 'verify', '--quiet')
  await time('prune', home, 'prune', '--force', '--quiet')
}

function writeSmallFiles(home: GrowthHome, count: number): void {
  for (let i = 0; i < count; i++) writeSmallFile(home, i, 0)
}

/** A hundred to a directory, of a kilobyte or two; half of it is the same in all. */
function writeSmallFile({ directory }: GrowthHome, i: number, version: number): void {
  const path = join(
    directory,
    'data',
    `d${Math.floor(i / 10_000)}`,
    `d${Math.floor(i / 100) % 100}`,
    `${i}.txt`,
  )
  if (i % 100 === 0 || version > 0) mkdirSync(dirname(path), { recursive: true })
  const bytes = 256 + (random('bytes', i)() % 1024)
  const own = randomBytes('text', i, version)(bytes / 2).toString('base64')
  writeFileSync(path, `${own}\n${'the same in each of these files\n'.repeat(bytes / 64)}`)
}
