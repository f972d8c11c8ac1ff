import { availableParallelism } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { writeInto } from '@pipe-backup-test/bench/results'
import { soakKills } from './soak-kills.ts'
import { killReport, stressReport } from './soak-report.ts'
import type { KillTally } from './soak-vault.ts'
import { fastDirectory } from './stress.ts'
import { StressProcess } from './stress-process.ts'
import { StressTally } from './stress-tally.ts'

const USAGE = `npm run soak -- [--minutes 25] [--steps N] [--kills N] [--seed S] [--only stress | kills [--write]]

Stresses vaults in memory, one for each processor, in random steps, and at the same time kills processes of the built command; with --steps or --kills until there
were so many; Ctrl-C ends both. Writes docs/reliability.md; of one part alone only with --write. What went wrong is printed with the steps that led to it, and npm run soak -- --only stress --seed S does them again.`
const ROOT = resolve(import.meta.dirname, '../../..')
const STEPS = 80
/** Of what went wrong; the first ones say enough. */
const MAX_FAILURES = 5

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '25' },
    steps: { type: 'string' },
    kills: { type: 'string' },
    seed: { type: 'string' },
    only: { type: 'string' },
    write: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
})
if (values.help) say(USAGE)
else await soak()

async function soak(): Promise<void> {
  // Of the programs that are started, and of the sandboxes: a disk would be waited for.
  process.env['TMPDIR'] = fastDirectory()
  process.env['NODE_COMPILE_CACHE'] = join(ROOT, 'node_modules/.cache/compile')
  const seed = values.seed === undefined ? Math.floor(Math.random() * 1e6) : Number(values.seed)
  const ms = Number(values.minutes) * 60_000
  const numbers = [seed, Number(values.steps ?? 0), Number(values.kills ?? 0)]
  if (!(ms > 0) || !numbers.every(Number.isSafeInteger)) throw new RangeError(USAGE)
  const isWritten = values.only === undefined || values.write
  const report = (part: string, text: string, violations: readonly string[]): void => {
    say(`\n${text}`)
    if (isWritten) writeInto(join(ROOT, 'docs/reliability.md'), text, `soak, ${part}`)
    if (violations.length > 0) process.exitCode = 1
  }
  const stress = async (): Promise<void> => {
    const result = await stressUntil(
      enough(ms, values.steps, (tally) => tally.steps.total),
      seed,
    )
    report('the stress', stressReport({ seed, ...result }), result.violations)
  }
  const kills = async (): Promise<void> => {
    const started = performance.now()
    const isEnough = enough(ms, values.kills, (counted: KillTally) => counted.kills.total)
    let said = 0
    const tally = await soakKills((counted) => {
      if (counted.kills.total >= said + 100) {
        said = counted.kills.total
        say(`${said} kills in ${Math.round((performance.now() - started) / 1000)} s`)
      }
      return isEnough(counted)
    }, seed)
    const { violations } = tally
    for (const violation of violations) say(violation)
    report('the kills', killReport({ seed, ms: performance.now() - started, tally, violations }), violations)
  }
  const parts = { stress, kills }
  await Promise.all(
    Object.entries(parts).flatMap(([name, part]) => ((values.only ?? name) === name ? [part()] : [])),
  )
}

/** @returns whether so many are counted, or, where no number is asked for, whether the time is over; Ctrl-C is enough, too */
function enough<Counted>(
  ms: number,
  wanted: string | undefined,
  count: (tally: Counted) => number,
): (tally: Counted) => boolean {
  const until = performance.now() + ms
  let isEnded = false
  // Not once: programs are started by who ends this process when nobody listens.
  process.on('SIGINT', () => {
    isEnded = true
  })
  return (tally) =>
    isEnded || (wanted === undefined ? performance.now() >= until : count(tally) >= Number(wanted))
}

async function stressUntil(
  isEnough: (tally: StressTally) => boolean,
  seed: number,
): Promise<{ readonly tally: StressTally; readonly violations: readonly string[]; readonly ms: number }> {
  const tally = new StressTally()
  const failures: string[] = []
  const started = performance.now()
  const passedMs = () => performance.now() - started
  let next = seed
  const work = async (): Promise<void> => {
    using process = new StressProcess()
    while (!isEnough(tally) && failures.length < MAX_FAILURES) {
      const own = next++
      const { tally: counted, violations, log } = await process.episode({ seed: own, steps: STEPS })
      tally.addAll(counted)
      if (tally.episodes % 100 === 0) say(`${tally.steps.total} steps in ${Math.round(passedMs() / 1000)} s`)
      if (violations.length === 0) continue
      failures.push(`seed ${own}: ${violations[0]}`)
      say([`seed ${own}:`, ...log.map((line, i) => `${i + 1} ${line}`), ...violations].join('\n'))
    }
  }
  await Promise.all(Array.from({ length: availableParallelism() }, work))
  return { tally, violations: failures, ms: passedMs() }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
