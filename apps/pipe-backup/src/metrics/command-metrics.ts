import type { ObjectKeys } from '@pipe-backup/crypto'
import { type Sink, toError } from '@pipe-backup/sink'
import type { CliContext } from '../cli-context.ts'
import { CommandError } from '../command-error.ts'
import type { LoadedConfig } from '../config/load-config.ts'
import type { StatusReport } from '../status/status-report.ts'
import { errorLine } from '../terminal/error-line.ts'
import { describeFailure } from '../terminal/report-error.ts'
import { writeMetricsFile } from './metrics-file.ts'
import { type Sample, sample, timeSamples } from './sample.ts'
import { type SampleWriter, saveSamples } from './sample-store.ts'

/** What a command adds to its metrics. Without `metrics` in the configuration it goes nowhere. */
export interface CommandMetrics {
  /** Adds what the command has found. */
  readonly add: (samples: readonly Sample[]) => void
  /** Looks at how the vault stands now, on sinks that are open already. */
  readonly look: (at: {
    readonly sinks: readonly Sink[]
    readonly keys: ObjectKeys
    readonly vaultId: string
    readonly hostId: string
  }) => Promise<void>
}

/** Those that free space. */
const REMOVING: ReadonlySet<SampleWriter> = new Set(['prune', 'forget'])

/**
 * Runs a command, and writes down when it was started and how it ended, for Prometheus. Metrics that could not be written are a warning:
 * they fail no backup, and whoever watches them sees that they have stopped.
 * @returns the exit code @throws what the command throws
 */
export async function withMetrics(
  config: LoadedConfig,
  cli: CliContext,
  command: Exclude<SampleWriter, 'status'>,
  work: (metrics: CommandMetrics) => Promise<number>,
): Promise<number> {
  if (config.metrics === undefined) {
    const look = REMOVING.has(command) ? lookFor(config, cli, async () => undefined) : async () => undefined
    return await work({ add: () => undefined, look })
  }
  const started = new Date()
  const found: Sample[] = []
  const labels = { command }
  const save = async (writer: SampleWriter, samples: readonly Sample[]): Promise<void> =>
    await saveSamples(config.state, writer, samples).catch((error: unknown) =>
      cli.output.warn(errorLine(toError(error))),
    )
  const ended = async (exitCode: number): Promise<void> => {
    const now = new Date()
    await save(command, [
      ...found,
      ...timeSamples('pipe_backup_command_last_end_timestamp_seconds', now, labels),
      ...(exitCode === 0 || exitCode === 3
        ? timeSamples('pipe_backup_command_last_success_timestamp_seconds', now, labels)
        : []),
      sample('pipe_backup_command_duration_seconds', (now.getTime() - started.getTime()) / 1000, labels),
      sample('pipe_backup_command_exit_code', exitCode, labels),
    ])
    await writeMetricsFile(config, cli)
  }
  // A command that hangs is one that was started and has not ended.
  await save(command, timeSamples('pipe_backup_command_last_start_timestamp_seconds', started, labels))
  await writeMetricsFile(config, cli)
  try {
    const exitCode = await work({
      add: (samples) => void found.push(...samples),
      look: lookFor(config, cli, async (status) => {
        const { samplesOfStatus } = await import('./samples-of.ts')
        await save('status', samplesOfStatus(status))
      }),
    })
    await ended(exitCode)
    return exitCode
  } catch (error) {
    // The one that goes on will say how it ended.
    if (!(error instanceof CommandError && error.code === 'locked'))
      await ended(describeFailure(error).exitCode)
    throw error
  }
}

/** Looks at how the vault stands, which also records the sizes of its sinks: daily by `prune`, and by `forget`, though nobody asks for metrics. */
function lookFor(
  config: LoadedConfig,
  cli: CliContext,
  use: (status: StatusReport) => Promise<void>,
): CommandMetrics['look'] {
  return async ({ sinks, ...vault }) => {
    if (cli.signal.aborted) return
    const { statusOf } = await import('../status/read-status.ts')
    const onProblem = ({ message }: Error): void => cli.output.note(`status: ${message}`)
    try {
      await use(await statusOf(config, cli, sinks, { ...vault, onProblem }))
    } catch (error) {
      cli.output.warn(`the sinks could not be looked at: ${errorLine(toError(error))}`)
    }
  }
}
