import { randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { MAIN, Sandbox } from '@pipe-backup-test/e2e'
import { SlowLine, type SshServer, startMariadb, startS3, startSshd } from '@pipe-backup-test/services'
import { execa } from 'execa'
import { machine, writeInto } from './results.ts'

const USAGE = `npm run bench:slow -- [--only NAME]

First backups over slow lines, to real servers behind a throttle; they take as long as the lines do, an hour in all. Without --only
docs/benchmarks.md is written.`
const DOCUMENT = resolve(import.meta.dirname, '../../../docs/benchmarks.md')
const MB = 1_000_000

const { values } = parseArgs({
  options: { only: { type: 'string' }, help: { type: 'boolean', short: 'h', default: false } },
})

interface Outcome {
  readonly line: string
  readonly data: string
  readonly result: string
}

const CASES: Readonly<Record<string, () => Promise<Outcome>>> = {
  'one-sftp': () => oneSink('sftp'),
  'one-s3': () => oneSink('s3'),
  'three-on-one-line': threeOnOneLine,
  'one-of-three-slow': oneOfThreeSlow,
  killed,
  dump,
}

if (values.help) say(USAGE)
else await bench()

async function bench(): Promise<void> {
  const names = Object.keys(CASES).filter((name) => values.only === undefined || name === values.only)
  // Side by side: a slow line leaves the processors idle.
  const outcomes = await Promise.all(
    names.map(async (name) => {
      const outcome = await CASES[name]?.()
      say(`${name}: ${outcome?.result}`)
      return outcome
    }),
  )
  const rows = outcomes.flatMap((outcome) =>
    outcome ? [`| ${[outcome.line, outcome.data, outcome.result].join(' | ')} |`] : [],
  )
  const text = [`${machine()}.`, ['| line | new data | |', '|--|--|--|', ...rows].join('\n')].join('\n\n')
  say(`\n${text}`)
  if (values.only === undefined) writeInto(DOCUMENT, text, 'bench:slow')
}

interface Report {
  readonly copies: number
  readonly exitCode: number
  readonly seconds: number
  readonly sinks: readonly {
    readonly name: string
    readonly state: string
    readonly bytesSent: number
    readonly healed: number
  }[]
}

/** A sandbox with random files of 5 MB. */
function withFiles(bytes: number): Sandbox {
  const sandbox = new Sandbox()
  mkdirSync(sandbox.path('tree'))
  for (let i = 0; i * 5 * MB < bytes; i++) writeFileSync(sandbox.path('tree', `f${i}`), randomBytes(5 * MB))
  return sandbox
}

async function first(sandbox: Sandbox, config: object): Promise<Report> {
  sandbox.configure({ sources: [{ type: 'files', name: 'tree', paths: ['tree'] }], ...config })
  await sandbox.ok(['init', '--phrase-out', 'phrase'])
  return await run(sandbox)
}

async function run(sandbox: Sandbox): Promise<Report> {
  const { code, out, err } = await sandbox.run(['run', '--json'])
  if (code !== 0) throw new Error(`run exited with ${code}: ${err}${out.toString()}`)
  return JSON.parse(out.toString().trim().split('\n').at(-1) ?? '') as Report
}

function sftp(name: string, server: SshServer, port: number, path: string): object {
  return {
    type: 'sftp',
    name,
    host: server.host,
    port,
    user: server.user,
    identity: server.identity,
    hostKey: server.hostKey,
    path,
  }
}

async function oneSink(type: 'sftp' | 's3'): Promise<Outcome> {
  const rate = 400_000
  const bytes = 250 * MB
  await using line = new SlowLine(rate)
  using sandbox = withFiles(bytes)
  await using servers = new AsyncDisposableStack()
  const sink = await (async (): Promise<object> => {
    if (type === 'sftp') {
      const server = servers.use(await startSshd())
      return sftp('far', server, await line.to(server), server.makePlace().remote)
    }
    const server = servers.use(await startS3())
    const { region, accessKeyId, secretAccessKey } = server
    const endpoint = `http://127.0.0.1:${await line.to(server)}`
    return { type: 's3', name: 'far', bucket: 'slow', endpoint, region, accessKeyId, secretAccessKey }
  })()
  const { seconds, copies } = await first(sandbox, { sinks: [sink] })
  return {
    line: `one ${type}, 400 kB/s`,
    data: shown(bytes),
    result: `${copies} copy in ${seconds.toFixed(0)} s, ${(bytes / rate / seconds).toFixed(2)} of the line`,
  }
}

async function threeOnOneLine(): Promise<Outcome> {
  const rate = 2_500_000
  const bytes = 400 * MB
  await using line = new SlowLine(rate)
  await using server = await startSshd()
  using sandbox = withFiles(bytes)
  const places = [server.makePlace(), server.makePlace(), server.makePlace()]
  const port = await line.to(server)
  const seen = whenShown(places.map(({ local }) => local))
  const sinks = places.map(({ remote }, i) => sftp(`far-${i + 1}`, server, port, remote))
  const { seconds, copies } = await first(sandbox, { sinks })
  const times = await seen.stop()
  return {
    line: 'three sftp behind one of 20 Mbit/s',
    data: shown(bytes),
    result: `${copies} copies in ${seconds.toFixed(0)} s, ${((3 * bytes) / rate / seconds).toFixed(2)} of the line; the snapshot is there after ${times.join(', ')} s`,
  }
}

async function oneOfThreeSlow(): Promise<Outcome> {
  const bytes = 170 * MB
  using alone = withFiles(bytes)
  const without = await first(alone, { sinks: alone.sinks('a', 'b') })
  await using line = new SlowLine(100_000)
  await using server = await startSshd()
  using sandbox = withFiles(bytes)
  const place = server.makePlace()
  const seen = whenShown([sandbox.path('sinks', 'a'), sandbox.path('sinks', 'b'), place.local])
  const slow = sftp('far', server, await line.to(server), place.remote)
  const { seconds, copies, sinks } = await first(sandbox, {
    copies: 2,
    sinks: [slow, ...sandbox.sinks('a', 'b')],
  })
  const times = await seen.stop()
  const healed = sinks.find(({ name }) => name === 'far')?.healed ?? 0
  return {
    line: 'two disks and an sftp of 100 kB/s, `copies: 2`',
    data: shown(bytes),
    result: `the snapshot is on the disks after ${times.slice(0, 2).join(' and ')} s (${without.seconds.toFixed(0)} s without the third, and up to 30 s of waiting for it), ${copies} copies in ${seconds.toFixed(0)} s, ${healed} packs healed`,
  }
}

async function killed(): Promise<Outcome> {
  const rate = 10 * MB
  const bytes = 1000 * MB
  await using line = new SlowLine(rate)
  await using server = await startSshd()
  using sandbox = withFiles(bytes)
  const sinks = [sftp('far', server, await line.to(server), server.makePlace().remote)]
  sandbox.configure({ sources: [{ type: 'files', name: 'tree', paths: ['tree'] }], sinks })
  await sandbox.ok(['init', '--phrase-out', 'phrase'])
  const child = execa(process.execPath, [MAIN, 'run'], {
    cwd: sandbox.root,
    env: sandbox.environment(),
    reject: false,
  })
  while (line.bytesUp < bytes / 2) await sleep(200)
  child.kill('SIGKILL')
  await child
  const before = line.bytesUp
  const {
    sinks: [sink],
  } = await run(sandbox)
  return {
    line: 'one sftp, 10 MB/s, killed half-way',
    data: shown(bytes),
    result: `${shown(before)} sent before; the second run sends ${shown(sink?.bytesSent ?? Number.NaN)}`,
  }
}

async function dump(): Promise<Outcome> {
  const rate = 1 * MB
  await using line = new SlowLine(rate)
  await using server = await startSshd()
  await using database = await startMariadb()
  using sandbox = new Sandbox()
  // Of these 400 MB the dump has the hexadecimal digits, and a pack the bytes: the window is full long before the dump is through.
  const row = "INSERT INTO big.t (b) SELECT GROUP_CONCAT(RANDOM_BYTES(1000) SEPARATOR '') FROM seq_1_to_1000;"
  database.query(
    `CREATE DATABASE big; CREATE TABLE big.t (id INT PRIMARY KEY AUTO_INCREMENT, b LONGBLOB); SET SESSION group_concat_max_len = 2000000; ${row.repeat(400)}`,
    'mysql',
  )
  const place = server.makePlace()
  sandbox.configure({
    sources: [{ type: 'mysql', name: 'database', databases: ['big'], socket: database.socket, user: 'root' }],
    sinks: [sftp('far', server, await line.to(server), place.remote)],
  })
  await sandbox.ok(['init', '--phrase-out', 'phrase'])
  const { seconds, copies } = await run(sandbox)
  const timeout = database.query('SELECT @@net_write_timeout').trim()
  return {
    line: `one sftp, 1 MB/s, a dump of MariaDB with net_write_timeout ${timeout} s`,
    data: '400 MB dumped',
    result: `${copies} copy in ${seconds.toFixed(0)} s`,
  }
}

/** Looks when each directory shows a snapshot. */
function whenShown(places: readonly string[]): { stop(): Promise<string[]> } {
  const started = performance.now()
  const times: (number | undefined)[] = places.map(() => undefined)
  const stopped = new AbortController()
  const looking = (async () => {
    while (!stopped.signal.aborted || times.includes(undefined)) {
      for (const [i, place] of places.entries()) {
        if (times[i] === undefined && hasSnapshot(place)) times[i] = (performance.now() - started) / 1000
      }
      if (stopped.signal.aborted) return
      await sleep(100)
    }
  })()
  return {
    stop: async () => {
      stopped.abort()
      await looking
      return times.map((time) => time?.toFixed(0) ?? 'never')
    },
  }
}

function hasSnapshot(place: string): boolean {
  try {
    return readdirSync(join(place, 'snapshots')).some((name) => !name.startsWith('.'))
  } catch {
    return false
  }
}

function shown(bytes: number): string {
  return `${Math.round(bytes / MB)} MB`
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
