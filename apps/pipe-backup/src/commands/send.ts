import { type ArchiveEntries, isArchiveName, type SentArchive, sendArchive } from '@pipe-backup/archive'
import type { Observation } from '@pipe-backup/notify'
import {
  type BackupProgress,
  createProgress,
  learnRevokedHosts,
  requireTrusted,
  requireVault,
} from '@pipe-backup/vault'
import { archiveContent } from '../archives/archive-content.ts'
import type { CliContext } from '../cli-context.ts'
import { ifSet } from '../config/if-set.ts'
import type { LoadedConfig } from '../config/load-config.ts'
import { toBytes } from '../config/values.ts'
import { loadHost } from '../host/load-host.ts'
import { withMetrics } from '../metrics/command-metrics.ts'
import { Notifier } from '../notify/notifier.ts'
import { ofFailure } from '../notify/observations.ts'
import { openSinks } from '../providers/open-sinks.ts'
import { refuseSharedLocations } from '../providers/shared-locations.ts'
import { refuseTerminal } from '../run/choose-sources.ts'
import { Hooks, type RunOutcome } from '../run/hooks.ts'
import { supervise } from '../run/supervise.ts'
import { withProgress } from '../run/with-progress.ts'
import { errorLine, sinkProblem } from '../terminal/error-line.ts'
import { createNoteLog } from '../terminal/note-log.ts'
import { createProblemLog } from '../terminal/problem-log.ts'
import { formatBytes, formatSeconds, plural } from '../terminal/quantities.ts'
import { UsageError } from '../usage-error.ts'
import { openConfig, openSecrets } from '../vault/open-config.ts'

export interface SendOptions {
  readonly source: readonly string[]
  readonly name?: string | undefined
  /** What is piped in is sent, as it is, by this name. */
  readonly stdin?: string | undefined
}

interface SendReport extends RunOutcome {
  readonly archive: string | null
  readonly copies: number
  readonly sent: SentArchive
  readonly tallies: ArchiveEntries['tallies']
  readonly seconds: number
  readonly exitCode: 0 | 1 | 3
}

/** `send`: one encrypted archive to all the sinks at once. @returns the exit code */
export async function send(cli: CliContext, options: SendOptions): Promise<number> {
  if (cli.options.from.length > 0)
    throw new UsageError('--from is for commands that read; send writes to every sink')
  if (options.stdin !== undefined && (options.source.length > 0 || options.name !== undefined))
    throw new UsageError(
      '--stdin NAME says what is sent and how it is called: it takes no --source and no --name',
    )
  if (options.stdin !== undefined) refuseTerminal('tar -c /srv | pipe-backup send --stdin srv')
  const elsewhere = options.stdin === undefined ? await supervise(cli) : undefined
  if (elsewhere !== undefined) return elsewhere
  const config = await openConfig(cli)
  const called = archiveName(config, options)
  await refuseSharedLocations(config)
  const notifier = new Notifier(config, cli)
  try {
    return await withMetrics(config, cli, 'send', async () =>
      sendOnce(config, called, notifier, cli, options),
    )
  } catch (error) {
    const isTypo = error instanceof UsageError && options.source.length > 0
    if (!cli.signal.aborted && !isTypo) await notifier.ended('archive', [ofFailure('archive', error)])
    throw error
  }
}

/** `srv.tar` is a tar called `srv`, whoever made it. @throws UsageError */
function archiveName(
  config: LoadedConfig,
  { name, stdin }: SendOptions,
): { readonly name: string; readonly isTar: boolean } {
  // A vault may be called what no key may hold.
  const given = stdin ?? name ?? config.vault.toLowerCase().replaceAll(/[^a-z0-9._-]+/g, '-')
  const chosen = given.replace(/\.tar$/, '')
  if (isArchiveName(chosen)) return { name: chosen, isTar: stdin === undefined || chosen !== given }
  throw new UsageError(
    `${JSON.stringify(given)} is no name for an archive`,
    'Up to 64 of a-z, 0-9, dot, underscore and hyphen: --name keys, --stdin shop.sql',
  )
}

async function sendOnce(
  config: LoadedConfig,
  called: ReturnType<typeof archiveName>,
  notifier: Notifier,
  cli: CliContext,
  options: SendOptions,
): Promise<number> {
  const { output, signal } = cli
  const host = await loadHost(config.hostKey)
  const secrets = openSecrets(config, cli)
  const problems = createProblemLog(output)
  const notes = createNoteLog(output)
  const hooks = new Hooks(config, cli)
  const { bytesNew: _, ...progress } = createProgress()
  const { content, tallies } = await archiveContent(config, secrets, cli, options, {
    host,
    hooks,
    progress,
    onNote: notes.report,
    onProblem: (problem) => problems.report(`${problem.source}/${problem.path}`, problem, problem.source),
  })
  await using opened = await openSinks(config, { secrets, signal })
  const sinks = new Map<string, BackupProgress['sinks'][number]>(
    opened.sinks.map((sink) => [sink.name, { name: sink.name, state: 'ok', bytesSent: 0, queuedBytes: 0 }]),
  )
  progress.sinks.push(...sinks.values())
  const startedMs = performance.now()
  let report: SendReport | undefined
  try {
    await notifier.ping('start')
    await hooks.beforeRun()
    const sent = await withProgress(cli, progress, () =>
      sendArchive({
        time: new Date(),
        ...called,
        content,
        keys: host.keys,
        recipients: host.recipients,
        signer: host.signer,
        sinks: opened.sinks,
        copies: config.copies,
        windowBytes: ifSet(config.window, toBytes),
        // A disk that is not mounted must not have its mount point filled.
        check: async (sink) => {
          await requireVault(sink, host.vaultId, signal)
          await learnRevokedHosts({ sinks: [sink], keys: host.keys, signal })
          requireTrusted(host.keys, host.hostId)
        },
        signal,
        onSent: (sink, bytes) => Object.assign(sinks.get(sink) ?? {}, { bytesSent: bytes }),
        onSinkProblem: (sink, error) => {
          Object.assign(sinks.get(sink) ?? {}, { state: 'failed' })
          output.error(...sinkProblem(sink, error))
        },
      }),
    )
    report = toReport(sent, tallies, config, (performance.now() - startedMs) / 1000)
  } finally {
    await hooks.afterRun(report)
  }
  problems.finish()
  notes.finish()
  print(report, config, cli)
  await notifier.ended('archive', [observe(report, config)])
  return report.exitCode
}

function toReport(
  sent: SentArchive,
  tallies: ArchiveEntries['tallies'],
  config: LoadedConfig,
  seconds: number,
): SendReport {
  const copies = sent.sinks.filter(({ state }) => state === 'ok').length
  const isWhole =
    sent.sinks.every(({ state }) => state === 'ok') && tallies.every(({ state }) => state === 'ok')
  const exitCode = sent.id === null || copies < config.copies ? 1 : isWhole ? 0 : 3
  return { archive: sent.id, copies, sent, tallies, seconds, exitCode }
}

/** Why there is no archive, or fewer copies of it than there must be; undefined where there are enough. */
function failureOf(
  { archive, copies, sent, tallies, exitCode }: SendReport,
  config: LoadedConfig,
): string | undefined {
  if (exitCode !== 1) return undefined
  const failed = tallies.find(({ state }) => state === 'failed')
  if (failed) return `no archive was made: source "${failed.name}" failed: ${failed.error ?? 'it broke off'}`
  if (sent.error) return `no archive was made: ${errorLine(sent.error)}`
  const taken = sent.sinks.filter(({ state }) => state === 'discarded').length
  return archive === null
    ? `no archive was made: ${taken} of the ${config.copies} sinks that must hold it took it`
    : `the archive is on ${plural(copies, 'sink')} only, ${config.copies} must hold it`
}

function observe(report: SendReport, config: LoadedConfig): Observation {
  const { archive, copies, sent, tallies } = report
  const failure = failureOf(report, config)
  const hint = 'See what is said of the sinks and sources, then: pipe-backup send'
  if (failure !== undefined) return { subject: 'archive', state: 'failure', message: failure, hint }
  const bad = sent.sinks.find(({ state }) => state !== 'ok')
  const problems = tallies.reduce((sum, tally) => sum + tally.problems, 0)
  if (bad) {
    const message = `archive ${archive} is not on sink "${bad.name}": ${bad.error?.message ?? ''}`
    return { subject: 'archive', state: 'warning', message, hint: 'Bring it there with: pipe-backup heal' }
  }
  if (problems > 0) {
    const message = `archive ${archive}: ${plural(problems, 'entry', 'entries')} could not be taken, or changed while being read`
    return { subject: 'archive', state: 'warning', message, hint: 'pipe-backup send names them.' }
  }
  return { subject: 'archive', state: 'ok', message: `${archive} is on ${plural(copies, 'sink')}` }
}

function print(report: SendReport, config: LoadedConfig, { output }: CliContext): void {
  const { archive, copies, sent, tallies, seconds, exitCode } = report
  const failure = failureOf(report, config)
  if (failure !== undefined) output.error(failure)
  const width = Math.max(0, ...[...tallies, ...sent.sinks].map(({ name }) => name.length))
  const size = formatBytes(sent.sizeBytes)
  output.report(
    [
      archive === null
        ? `no archive, ${formatSeconds(seconds)}`
        : `archive ${archive} on ${copies} of ${plural(sent.sinks.length, 'sink')}, ${size}, ${formatSeconds(seconds)}`,
      ...tallies.map(({ name, state, entries, bytesRead, problems }) => {
        const look = problems === 0 ? '' : `  ${plural(problems, 'problem')}`
        return `  ${name.padEnd(width)}  ${state.padEnd(10)}  ${plural(entries, 'entry', 'entries')}  ${formatBytes(bytesRead)} read${look}`
      }),
      ...sent.sinks.map(
        ({ name, state, bytesSent }) =>
          `  ${name.padEnd(width)}  ${state.padEnd(10)}  ${formatBytes(bytesSent)} sent`,
      ),
    ].join('\n'),
    {
      archive,
      copies,
      exitCode,
      sources: tallies,
      sinks: sent.sinks.map((sink) => ({ ...sink, error: sink.error?.message })),
      bytes: sent.sizeBytes,
      seconds,
      error: failure,
    },
  )
}
