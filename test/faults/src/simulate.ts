// A life of hourly runs: `npm run simulate -- 365` is a year. Prints a line a month, and fails when anything was lost.
import { type LifeReport, simulateLife } from './simulated-life.ts'

const days = Number(process.argv[2] ?? 365)
const seed = Number(process.argv[3] ?? 1)
const mega = (bytes: number) => (bytes / 1e6).toFixed(2)
const line = (report: LifeReport) =>
  `day ${Math.round(report.hours / 24)}: ${report.snapshotsMade} snapshots made, ${report.snapshotsKept} kept; ` +
  `${report.outages} outages; ${report.flips} flips: ${report.repaired} repaired, ${report.pruned} pruned, slowest ${report.slowestRepair} h; ` +
  `MB per sink: ${report.bytesOfSinks.map(mega).join(', ')}, most ${mega(report.maxBytes)}; ${report.faults.length} faults`

const started = performance.now()
const report = await simulateLife({
  hours: days * 24,
  seed,
  onMonth: (month) => process.stdout.write(`${line(month)}\n`),
})
process.stdout.write(`${line(report)}\n${report.faults.join('\n')}\n`)
process.stdout.write(`${Math.round((performance.now() - started) / 1000)} s\n`)
process.exitCode = report.faults.length === 0 ? 0 : 1
