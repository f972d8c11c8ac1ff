interface MetricDefinition {
  readonly help: string
  /** Besides `vault`, which every metric has. */
  readonly labels: readonly string[]
}

const define = (help: string, ...labels: readonly string[]): MetricDefinition => ({ help, labels })

/** Every metric that there is, a gauge each. docs/monitoring.md lists them. @see https://prometheus.io/docs/practices/naming/ */
export const CATALOGUE = {
  pipe_backup_info: define('The version of pipe-backup that wrote this; always 1.', 'version'),

  pipe_backup_command_last_start_timestamp_seconds: define('When the command was last started.', 'command'),
  pipe_backup_command_last_end_timestamp_seconds: define('When the command last ended.', 'command'),
  pipe_backup_command_last_success_timestamp_seconds: define(
    'When the command last ended with exit code 0, or 3: done, but something needs a look.',
    'command',
  ),
  pipe_backup_command_duration_seconds: define(
    'How long the command took the last time it ended.',
    'command',
  ),
  pipe_backup_command_exit_code: define(
    'Exit code of the command the last time it ended: 0 done, 1 failed, 2 configuration, 3 needs a look.',
    'command',
  ),

  pipe_backup_run_stored_bytes: define('Sealed bytes that the last run added, in one copy.'),
  pipe_backup_run_copies: define('Sinks that hold the snapshot of the last run.'),
  pipe_backup_source_read_bytes: define('Bytes that the last run read from the source.', 'source'),
  pipe_backup_source_new_bytes: define('Of these bytes, those that no snapshot had.', 'source'),
  pipe_backup_sink_sent_bytes: define('Bytes that the last run sent to the sink.', 'sink'),
  pipe_backup_sink_healed_objects: define(
    'Objects that the last run copied to the sink from another one.',
    'sink',
  ),

  pipe_backup_status_timestamp_seconds: define('When the sinks were last looked at.'),
  pipe_backup_required_copies: define('Sinks that must hold a snapshot: copies in the configuration.'),
  pipe_backup_last_good_snapshot_timestamp_seconds: define(
    'Time of the newest snapshot of this host that has every source complete and is on enough sinks.',
  ),
  pipe_backup_snapshots: define('Snapshots on all the sinks together.'),
  pipe_backup_worries: define('What status says needs a look.'),
  pipe_backup_source_state: define(
    '1 for the state of the source in the newest snapshot.',
    'source',
    'state',
  ),
  pipe_backup_source_entries: define('Entries of the source in the newest snapshot that has it.', 'source'),
  pipe_backup_source_bytes: define('Size of the source in the newest snapshot that has it.', 'source'),
  pipe_backup_source_problems: define(
    'Entries that could not be taken in the newest snapshot that has the source.',
    'source',
  ),
  pipe_backup_source_last_good_timestamp_seconds: define(
    'When the source was last read, complete.',
    'source',
  ),
  pipe_backup_sink_state: define('1 for the state of the sink.', 'sink', 'state'),
  pipe_backup_sink_snapshots: define('Snapshots that the sink shows.', 'sink'),
  pipe_backup_sink_last_snapshot_timestamp_seconds: define(
    'Time of the newest snapshot that the sink shows.',
    'sink',
  ),
  pipe_backup_sink_lag_seconds: define(
    'How much older the newest snapshot of the sink is than that of all sinks together.',
    'sink',
  ),
  pipe_backup_sink_behind_snapshots: define('Snapshots that other sinks show and this one does not.', 'sink'),
  pipe_backup_sink_damaged_objects: define('Objects of the sink known to be missing or damaged.', 'sink'),
  pipe_backup_sink_objects: define('Objects on the sink.', 'sink'),
  pipe_backup_sink_stored_bytes: define('Size of all objects on the sink.', 'sink'),
  pipe_backup_sink_condemned_bytes: define(
    'Of these bytes, those that go when the grace time has passed.',
    'sink',
  ),

  pipe_backup_verify_problems: define('Objects that the last verify found missing or damaged.', 'sink'),
  pipe_backup_verify_failed: define('1 when the last verify could not verify the sink.', 'sink'),
  pipe_backup_verify_proven_packs: define('Packs whose bytes the last verify proved.', 'sink'),
  pipe_backup_verify_read_bytes: define('Bytes that the last verify read from the sink.', 'sink'),
  pipe_backup_verify_archive_problems: define(
    'Archives of the sink that the last verify found missing or damaged.',
    'sink',
  ),
  pipe_backup_verify_lost_objects: define(
    'Objects and archives that the last verify found intact on no sink.',
  ),

  pipe_backup_drill_last_success_timestamp_seconds: define(
    'When a snapshot was last read back as a drill, every byte of it.',
  ),
} as const satisfies Record<string, MetricDefinition>

export type MetricName = keyof typeof CATALOGUE

export function isMetricName(name: string): name is MetricName {
  return Object.hasOwn(CATALOGUE, name)
}
