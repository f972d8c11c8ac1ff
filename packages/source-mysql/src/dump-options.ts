import { type ClientProgram, isAtLeast } from './client-program.ts'
import type { ServerSurvey } from './survey.ts'

/**
 * One consistent snapshot of each database. No dates, so that an unchanged database gives the same bytes; no CREATE DATABASE or USE, so that
 * the dump can be loaded into another one. Rows come in the order of InnoDB's primary keys as it is: to sort would cost a large table dear.
 */
const DUMP_OPTIONS = [
  '--single-transaction',
  '--quick',
  '--routines',
  '--triggers',
  '--events',
  '--hex-blob',
  '--skip-dump-date',
  '--tz-utc',
  '--no-tablespaces',
  '--default-character-set=utf8mb4',
  '--max-allowed-packet=1G',
  // A fresh database needs no locks, and a column whose default is a sequence can't be filled under them: the sequence is not locked too.
  '--skip-add-locks',
] as const

/** MySQL's own program wants these; each came with another version: `loose` makes them no error. */
const MYSQL_OPTIONS = ['--loose-column-statistics=0', '--loose-set-gtid-purged=OFF'] as const

export interface DumpChoices {
  readonly history: boolean
  readonly routines: boolean
  readonly events: boolean
}

export function dumpOptions(
  program: ClientProgram,
  { history, routines, events }: DumpChoices,
): readonly string[] {
  return [
    ...DUMP_OPTIONS,
    ...(program.isMariadb ? [] : MYSQL_OPTIONS),
    ...(history ? ['--dump-history'] : []),
    ...(routines ? [] : ['--skip-routines']),
    ...(events ? [] : ['--skip-events']),
  ]
}

/** Whether both sides can dump all versions of a table with system versioning, and load them again. */
export function canDumpHistory(program: ClientProgram, server: ServerSurvey): boolean {
  return [program, server].every(({ isMariadb, version }) => isMariadb && isAtLeast(version, 10, 11))
}
