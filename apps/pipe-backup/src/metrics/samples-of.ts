import type { VerifyArchivesReport } from '@pipe-backup/archive'
import type { BackupReport, VerifyReport } from '@pipe-backup/vault'
import type { StatusReport } from '../status/status-report.ts'
import { type Sample, sample, stateSamples, timeSamples } from './sample.ts'

const SOURCE_STATES = ['ok', 'incomplete', 'failed', 'none'] as const
const SINK_STATES = ['ok', 'behind', 'damaged', 'failed'] as const

/** What a run did. How its sources and sinks stand after it is in the status. */
export function samplesOfRun({ bytesStored, copies, sources, sinks }: BackupReport): Sample[] {
  return [
    sample('pipe_backup_run_stored_bytes', bytesStored),
    sample('pipe_backup_run_copies', copies),
    ...sources.flatMap(({ name: source, bytesRead, bytesNew }) => [
      sample('pipe_backup_source_read_bytes', bytesRead, { source }),
      sample('pipe_backup_source_new_bytes', bytesNew, { source }),
    ]),
    ...sinks.flatMap(({ name: sink, bytesSent, healed }) => [
      sample('pipe_backup_sink_sent_bytes', bytesSent, { sink }),
      sample('pipe_backup_sink_healed_objects', healed, { sink }),
    ]),
  ]
}

/** What a verification found. */
export function samplesOfVerify({ sinks, lost }: VerifyReport, archives: VerifyArchivesReport): Sample[] {
  return [
    ...sinks.flatMap(({ name: sink, state, problems, packsProven, bytesRead }) => [
      sample('pipe_backup_verify_problems', problems.length, { sink }),
      sample('pipe_backup_verify_failed', state === 'failed' ? 1 : 0, { sink }),
      sample('pipe_backup_verify_proven_packs', packsProven, { sink }),
      sample('pipe_backup_verify_read_bytes', bytesRead, { sink }),
    ]),
    ...archives.sinks.map(({ name: sink, problems }) =>
      sample('pipe_backup_verify_archive_problems', problems.length, { sink }),
    ),
    sample('pipe_backup_verify_lost_objects', lost.length + archives.lost.length),
  ]
}

/** What `status` shows. What is not known of a sink that does not answer has no sample. */
export function samplesOfStatus(report: StatusReport): Sample[] {
  const { config, now, vault, lastGood, worries } = report
  return [
    ...timeSamples('pipe_backup_status_timestamp_seconds', now),
    sample('pipe_backup_required_copies', config.copies),
    ...timeSamples('pipe_backup_last_good_snapshot_timestamp_seconds', lastGood?.time),
    sample('pipe_backup_snapshots', vault.snapshots.length),
    sample('pipe_backup_worries', worries.length),
    ...sourceSamples(report),
    ...sinkSamples(report),
  ]
}

function sourceSamples({ sources }: StatusReport): Sample[] {
  return sources.flatMap(({ name: source, state, entries, bytes, problems, lastGood }) => [
    ...stateSamples('pipe_backup_source_state', SOURCE_STATES, state, { source }),
    ...timeSamples('pipe_backup_source_last_good_timestamp_seconds', lastGood, { source }),
    sample('pipe_backup_source_entries', entries, { source }),
    sample('pipe_backup_source_bytes', bytes, { source }),
    sample('pipe_backup_source_problems', problems, { source }),
  ])
}

function sinkSamples({ vault }: StatusReport): Sample[] {
  const newest = vault.snapshots.at(-1)?.time
  return vault.sinks.flatMap((status) => {
    const { name: sink, state, latest } = status
    const states = stateSamples('pipe_backup_sink_state', SINK_STATES, state, { sink })
    if (state === 'failed') return states
    const lag =
      newest && latest
        ? [sample('pipe_backup_sink_lag_seconds', (newest.getTime() - latest.getTime()) / 1000, { sink })]
        : []
    return [
      ...states,
      ...timeSamples('pipe_backup_sink_last_snapshot_timestamp_seconds', latest, { sink }),
      ...lag,
      sample('pipe_backup_sink_snapshots', status.snapshots, { sink }),
      sample('pipe_backup_sink_behind_snapshots', status.behind, { sink }),
      sample('pipe_backup_sink_damaged_objects', status.damaged, { sink }),
      sample('pipe_backup_sink_objects', status.objects, { sink }),
      sample('pipe_backup_sink_stored_bytes', status.bytes, { sink }),
      sample('pipe_backup_sink_condemned_bytes', status.bytesCondemned, { sink }),
    ]
  })
}
