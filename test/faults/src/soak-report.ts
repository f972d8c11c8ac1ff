import { machine } from '@pipe-backup-test/bench/results'
import type { KillTally } from './soak-vault.ts'
import type { StressTally, Tally } from './stress-tally.ts'

/** What a part of a soak has done. */
export interface SoakResult<Counted> {
  readonly seed: number
  /** How long it took, in milliseconds. */
  readonly ms: number
  readonly tally: Counted
  readonly violations: readonly string[]
}

const count = (value: number): string => value.toLocaleString('en-US')
const minutes = (ms: number): string => `${(ms / 60_000).toFixed(1)} minutes`
const mega = (bytes: number): string => `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`

/** What both parts begin with. */
function verdict({ seed, violations }: SoakResult<unknown>): readonly string[] {
  return [
    `${new Date().toISOString().slice(0, 10)}, seed ${seed}. ${machine()}.`,
    `**Losses: ${violations.length}.** ${violations.length === 0 ? 'Everything that had to be intact was, and nothing wrong was given as good.' : 'See below.'}`,
    ...violations.map((violation) => `- ${violation.slice(0, 300)}`),
  ]
}

/** What the stress has done and found, as a part of docs/reliability.md. */
export function stressReport(result: SoakResult<StressTally>): string {
  const { ms, tally } = result
  const { steps, faults, interruptions, damages, attacks, episodes, restored, bytesCompared, harmed } = tally
  const speed = (steps.total / (ms / 1000)).toFixed(0)
  return [
    ...verdict(result),
    `**Stress**: ${count(steps.total)} steps in ${count(episodes)} vaults, ${minutes(ms)}, ${speed} steps a second. ` +
      `${count(interruptions.total)} operations were interrupted, ${count(faults.total)} faults struck, ${count(damages.total)} damages and ` +
      `${count(attacks.total)} attacks were done. ${count(restored)} snapshots were restored and compared, ${mega(bytesCompared)}. ` +
      `${count(harmed)} times a damage took a snapshot's last intact copy, which no program could give back.`,
    table('step', steps),
    crossTable('interrupted', interruptions),
    table('fault', faults),
    crossTable('damage to', damages),
    crossTable('attack on', attacks),
  ].join('\n\n')
}

/** What the kills have done and found, as a part of docs/reliability.md. */
export function killReport(result: SoakResult<KillTally>): string {
  const { ms, tally } = result
  const { kills, survived, verified, restored, bytesCompared } = tally
  const pace = (kills.total / (ms / 60_000)).toFixed(0)
  return [
    ...verdict(result),
    `**Kills**: ${count(kills.total)} processes killed in ${minutes(ms)}, ${pace} a minute; ${count(survived.total)} had ended before. After them ` +
      `${count(verified.total)} runs and verifications found all well, and ${count(restored)} snapshots and archives were restored and compared, ${mega(bytesCompared)}.`,
    crossTable('a disk and', kills),
  ].join('\n\n')
}

function table(name: string, { counts }: Tally): string {
  const rows = [...counts].toSorted(([, a], [, b]) => b - a)
  return [
    `| ${name} | times |`,
    '|--|--:|',
    ...rows.map(([what, times]) => `| ${what} | ${count(times)} |`),
  ].join('\n')
}

/** A row for each first word of the names, a column for each rest. */
function crossTable(name: string, { counts }: Tally): string {
  const cell = new Map<string, Map<string, number>>()
  for (const [what, times] of counts) {
    const at = what.indexOf(' ')
    const [row, column] = [what.slice(0, at).replace('/', ''), what.slice(at + 1)]
    cell.set(row, (cell.get(row) ?? new Map<string, number>()).set(column, times))
  }
  const rows = [...cell.keys()].sort()
  const columns = [...new Set([...cell.values()].flatMap((row) => [...row.keys()]))].sort()
  const cells = (row: string) => columns.map((column) => count(cell.get(row)?.get(column) ?? 0))
  return [
    `| ${name} | ${columns.join(' | ')} |`,
    `|--|${columns.map(() => '--:').join('|')}|`,
    ...rows.map((row) => `| ${row === 'local' ? 'another disk' : row} | ${cells(row).join(' | ')} |`),
  ].join('\n')
}
