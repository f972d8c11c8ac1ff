import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { ensureDebianPackages } from '@pipe-backup-test/services'
import { execa } from 'execa'
import { smallFilePath } from './content.ts'
import { countsAt, makeDataset } from './dataset.ts'
import { type Command, MAIN, measure, type Sample, warm } from './measure.ts'
import { nextHour } from './next-hour.ts'
import { borg, type Peer, pipeBackup, restic, resticCopied } from './peers.ts'
import { TAR_AGE_TEE, tarAgeTee } from './plain-pipe.ts'
import { machine, type Result, table, writeInto } from './results.ts'

const USAGE = `npm run bench -- [--quick] [--rounds 3] [--scale 1] [--work DIRECTORY]

Backs up a data set of 2.1 GB, with this program into three local sinks and with others, and restores it.
--quick: one round, this program and restic alone. Without it docs/benchmarks.md is written.`
const DOCUMENT = resolve(import.meta.dirname, '../../../docs/benchmarks.md')
const NOISY_CORES = 0.3

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    scale: { type: 'string', default: '1' },
    work: { type: 'string', default: join(tmpdir(), 'pipe-backup-bench') },
    help: { type: 'boolean', short: 'h', default: false },
  },
})
if (values.help) say(USAGE)
else await bench()

async function bench(): Promise<void> {
  const { quick } = values
  const scale = Number(values.scale)
  const rounds = Number(values.rounds ?? (quick ? 1 : 3))
  ensureDebianPackages(['restic', 'rsync', 'time', ...(quick ? [] : ['age', 'borgbackup'])])
  const data = join(values.work, `data-${scale}`)
  mkdirSync(values.work, { recursive: true })
  if (!existsSync(join(data, '.complete'))) {
    say(`making the data set in ${data}`)
    rmSync(data, { recursive: true, force: true })
    makeDataset(data, scale)
    writeFileSync(join(data, '.complete'), '')
  }
  const ours = pipeBackup(data, values.work)
  const reference = restic(data, values.work)
  const others = quick ? [] : [resticCopied(data, values.work), borg(data, values.work)]
  const peers = [ours, pipeBackup(data, values.work, ['one']), reference, ...others]
  const results: Result[] = []

  const sample = async (
    peer: Pick<Peer, 'name' | 'stored'>,
    name: string,
    command: Command,
  ): Promise<Sample> => {
    await warm(data)
    const measured = await measure(command, values.work)
    const { stdout: bytes } = await execa('du', ['--summarize', '--bytes', peer.stored])
    const { stdout: _, ...figures } = measured
    results.push({ peer: peer.name, case: name, storedBytes: Number.parseInt(bytes, 10), ...figures })
    const noise =
      measured.othersCores > NOISY_CORES ? `, others used ${measured.othersCores.toFixed(1)} cores` : ''
    const figuresShown = `${measured.wallSeconds.toFixed(2)} s, ${measured.peakMib.toFixed(0)} MiB${noise}`
    say(`${name.padEnd(16)} ${peer.name.padEnd(22)} ${figuresShown}`)
    return measured
  }

  for (let round = 1; round <= rounds; round++) {
    for (const peer of peers) {
      await peer.reset()
      await sample(peer, 'first run', peer.backup)
    }
    for (const peer of peers) await sample(peer, 'nothing changed', peer.backup)
  }
  const notes: string[] = []
  if (!quick) {
    notes.push(await oneFileChanged(ours, data))
    for (let step = 1; step <= rounds; step++) {
      await nextHour(data, step, countsAt(scale))
      for (const peer of peers) await sample(peer, 'an hour later', peer.backup)
    }
  }
  // It restores from the first of its repositories, as the other does.
  const restoring = peers.filter(({ name }) => name !== 'restic, copied to 3')
  for (let round = 1; round <= (quick ? 0 : rounds); round++) {
    for (const peer of restoring) await sample(peer, 'verify all data', peer.verify)
    for (const peer of restoring) await sample(peer, 'restore as tar', peer.tar)
    for (const peer of restoring) {
      const directory = mkdtempSync(join(values.work, 'some-'))
      peer.forget()
      await sample(peer, 'ten files', peer.restoreSome(tenFiles(data, countsAt(scale).smallFiles), directory))
    }
    for (const peer of restoring) {
      // Kept to the end: where a hundred thousand files have just been deleted, ext4 takes minutes to make as many again (fs/ext4/ialloc.c, recently_deleted).
      const directory = mkdtempSync(join(values.work, 'restored-'))
      await sample(peer, 'restore', peer.restore(directory))
      await mustBeEqual(data, join(directory, peer.restoredTo))
    }
  }
  if (!quick) {
    for (const peer of restoring) await sample(peer, 'prune', peer.prune)
    const pipes = [ours.archives, tarAgeTee(data, values.work)]
    for (let round = 1; round <= rounds; round++) {
      for (const pipe of pipes) await sample(pipe, 'one archive', pipe.send)
      for (const pipe of pipes) await sample(pipe, 'an archive back', pipe.receive)
    }
  }
  notes.push(await startUp())
  const text = [
    `${machine()}. ${rounds === 1 ? 'One round' : `Medians of ${rounds} rounds`}; ratios are to ${reference.name}.`,
    table(results, [reference.name, TAR_AGE_TEE]),
    ...notes,
  ].join('\n\n')
  say(`\n${text}`)
  if (quick) return
  writeInto(DOCUMENT, text, 'bench')
  // The data set has moved on by hours: the next bench makes its own.
  rmSync(values.work, { recursive: true, force: true })
}

/** Paths of ten of the small files, from all over. */
function tenFiles(data: string, count: number): string[] {
  return Array.from({ length: 10 }, (_, i) =>
    join(data, 'tree', smallFilePath(Math.floor(((i + 0.5) * count) / 10))),
  )
}

/** Four KiB of one small file are replaced. @returns a sentence on what was sent for it */
async function oneFileChanged(ours: Peer, data: string): Promise<string> {
  writeFileSync(join(data, 'tree', smallFilePath(471)), 'x'.repeat(4096))
  const { stdout } = await measure(ours.backup, values.work)
  const report = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as { sinks: { bytesSent: number }[] }
  const sent = report.sinks.map(({ bytesSent }) => bytesSent)
  return `One file of 4 KiB changed among the small ones: ${Math.max(...sent)} bytes sent to each sink.`
}

async function mustBeEqual(data: string, restored: string): Promise<void> {
  const { stdout } = await execa('rsync', ['-rlptgoHDnci', '--delete', `${data}/`, `${restored}/`])
  if (stdout !== '') throw new Error(`${restored} is not what was backed up:\n${stdout.slice(0, 1000)}`)
}

/** @returns a sentence on how long `--version` takes */
async function startUp(): Promise<string> {
  const { version } = JSON.parse(readFileSync(resolve(MAIN, '../../package.json'), 'utf8')) as {
    version: string
  }
  const times: number[] = []
  for (let i = 0; i < 9; i++) {
    const started = performance.now()
    const { stdout } = await execa(process.execPath, [MAIN, '--version'])
    times.push(performance.now() - started)
    if (!stdout.includes(version)) throw new Error(`--version printed ${stdout}`)
  }
  times.sort((a, b) => a - b)
  return `Start-up (\`--version\`): ${times[4]?.toFixed(0)} ms.`
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
