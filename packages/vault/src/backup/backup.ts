import { join } from 'node:path'
import { snapshotKey } from '../format/snapshot-object.ts'
import { derivedKeys, roleOf } from '../format/vault-host.ts'
import { DamageBook } from '../store/damage-book.ts'
import { loadIndex } from '../store/load-index.ts'
import { OwnSnapshots } from '../store/own-snapshots.ts'
import { removedSnapshots } from '../store/replicas.ts'
import { VaultSession } from '../store/session.ts'
import type { BackupOptions, RunContext } from './backup-options.ts'
import { type BackupTarget, openReplicasOf } from './backup-target.ts'
import { CarriedSources } from './carried-sources.ts'
import { type Commitment, commitSnapshot } from './commit-snapshot.ts'
import { FileState } from './file-state.ts'
import { openTargets } from './open-targets.ts'
import { PackLine } from './pack-line.ts'
import { type BackupReport, createProgress, type SinkReport } from './report.ts'
import { SourceReader, type SourceResult } from './source-reader.ts'

interface RunOutcome {
  readonly report: BackupReport
  readonly isToRepeat: boolean
  /** A bit has flipped in memory: what came of it is repaired, and this machine needs a look. */
  readonly isFaulty: boolean
}

/**
 * Backs the sources up: reads them once, seals once, and sends the packs to all the sinks at once. A source or sink that fails does
 * not stop the others; what became of each is in the report. Only when it turns out in the end that an older pack, which was to be used
 * again, is unrecoverable, everything is read a second time, and what was in that pack stored again.
 * @throws the abort's reason; VaultError `fault`; the first sink's error when no sink can be used
 */
export async function backup(options: BackupOptions): Promise<BackupReport> {
  const mayRepeat = !options.sources.some(({ once }) => once)
  const first = await performRun(options, mayRepeat)
  if (!first.isToRepeat) return first.report
  const second = await performRun(options, false)
  const report = bothReports(first.report, second.report)
  return first.isFaulty && report.exitCode === 0 ? { ...report, exitCode: 3 } : report
}

/** The second one's outcome, with what both have sent. */
function bothReports(first: BackupReport, second: BackupReport): BackupReport {
  return {
    ...second,
    sinks: second.sinks.map((sink) => {
      const { bytesSent = 0, healed = 0 } = first.sinks.find(({ name }) => name === sink.name) ?? {}
      return { ...sink, bytesSent: sink.bytesSent + bytesSent, healed: sink.healed + healed }
    }),
    bytesStored: first.bytesStored + second.bytesStored,
    seconds: first.seconds + second.seconds,
  }
}

async function performRun(options: BackupOptions, mayRepeat: boolean): Promise<RunOutcome> {
  const startedAt = performance.now()
  const { host, hostName, stateDirectory } = options
  const run: RunContext = {
    ...options,
    started: (options.now ?? (() => new Date()))(),
    progress: options.progress ?? createProgress(),
  }
  const derived = await derivedKeys(host.keys)
  const { hostId } = host
  await using session = new VaultSession({
    host,
    record: { host: hostName, hostId, started: run.started.toISOString(), kind: 'backup' },
  })
  const book = await DamageBook.open(stateDirectory)
  const targets = await openTargets(run, session, book)
  const own = await OwnSnapshots.open(stateDirectory, host.vaultId)
  const open = openReplicasOf(targets)
  const isRolledBack = own.findMissing(open, removedSnapshots(open))
  using state = new FileState(stateDirectory, host.vaultId)
  const { problem } = state
  if (problem) options.onSinkProblem?.(undefined, problem)
  if (options.force) state.forgetLeaves()
  const carried = await CarriedSources.open(stateDirectory, host.vaultId)
  const { index, unlisted } = await loadIndex({
    replicas: open,
    keys: host.keys,
    hostId,
    role: roleOf(host),
    cacheDirectory: join(stateDirectory, 'index'),
  })

  await using line = await PackLine.open(run, targets, index, derived, unlisted)
  const reader = new SourceReader(run, { derived, index, line, state, carried })
  const results: SourceResult[] = []
  for (const source of options.sources) results.push(await reader.take(source))
  run.progress.phase = 'sending'
  await line.flush()

  const isGood = results.some(({ head }) => head.root !== undefined)
  const { id, isToRepeat, lost } = isGood
    ? await commitSnapshot(run, {
        session,
        targets,
        book,
        memory: line.memory,
        sources: results.map(({ head }) => head),
        through: line.through(),
        live: index.livePacks(),
        unlisted: line.unlisted,
        mayRepeat,
      })
    : await giveUp(line)
  state.commit(index.mostlyDead())
  if (state.problem && state.problem !== problem) options.onSinkProblem?.(undefined, state.problem)
  if (id !== null) {
    const holders = targets.filter(({ state: how }) => how === 'ok').map(({ replica }) => replica.name)
    await own.keep(snapshotKey(run.started, id), holders)
    await reader.keepForLater()
  }
  run.progress.phase = 'done'
  const isFaulty = line.memory.fault !== undefined
  const report = describe(run, targets, results, id, isRolledBack || isFaulty || lost !== undefined)
  const seconds = Math.round(performance.now() - startedAt) / 1000
  return { report: { ...report, bytesStored: line.bytesStored, seconds }, isToRepeat, isFaulty }
}

/** No source could be read. What was sent nevertheless serves the next run. */
async function giveUp(line: PackLine): Promise<Commitment> {
  for await (const _ of line.through());
  return { id: null, isToRepeat: false }
}

function describe(
  run: RunContext,
  targets: readonly BackupTarget[],
  results: readonly SourceResult[],
  snapshot: string | null,
  needsLook: boolean,
): Omit<BackupReport, 'bytesStored' | 'seconds'> {
  const sources = results.map(({ report }) => report)
  const copies = snapshot === null ? 0 : targets.filter(({ state }) => state === 'ok').length
  const sinks: SinkReport[] = targets.map(({ replica, state, bytesSent, healed }) => ({
    name: replica.name,
    state,
    bytesSent,
    healed,
    error: replica.error?.message,
  }))
  const clean =
    !needsLook &&
    sinks.every(({ state, error }) => state === 'ok' && error === undefined) &&
    sources.every(({ state, problems }) => state === 'ok' && problems === 0)
  const exitCode = snapshot === null || copies < run.copies ? 1 : clean ? 0 : 3
  return { snapshot, copies, sources, sinks, exitCode }
}
