import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { writeInto } from '@pipe-backup-test/bench/results'
import { soakKills } from './soak-kills.ts'
import { reportOf } from './soak-report.ts'
import { KillTally } from './soak-vault.ts'
import { fastDirectory, runEpisode } from './stress.ts'
import { StressTally } from './stress-tally.ts'

const USAGE = `npm run soak -- [--minutes 25] [--steps N] [--kills N] [--seed S] [--only stress | kills]

Stresses a vault in memory, in random steps, and at the same time kills processes of the built command; with --steps or --kills until there
were so many; Ctrl-C ends both. Writes docs/reliability.md. What went wrong is printed with the steps that led to it, and npm run soak -- --only stress --seed S does them again.`
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
  const started = performance.now()
  let killMs = 0
  const [stress, kills] = await Promise.all([
    values.only === 'kills'
      ? undefined
      : stressUntil(
          enough(ms, values.steps, (tally) => tally.steps.total),
          seed,
        ),
    values.only === 'stress'
      ? new KillTally()
      : soakKills(
          enough(ms, values.kills, (tally) => tally.kills.total),
          seed,
        ).finally(() => {
          killMs = performance.now() - started
        }),
  ])
  for (const violation of kills.violations) say(violation)
  const violations = [...(stress?.violations ?? []), ...kills.violations]
  const text = reportOf({
    seed,
    stress: stress?.tally ?? new StressTally(),
    stressMs: stress?.ms ?? 0,
    kills,
    killMs,
    violations: violations.map((violation) => violation.slice(0, 300)),
  })
  say(`\n${text}`)
  if (values.only === undefined) writeInto(join(ROOT, 'docs/reliability.md'), text, 'soak')
  process.exitCode = violations.length === 0 ? 0 : 1
}

/** @returns whether so many are counted, or, where no number is asked for, whether the time is over; Ctrl-C is enough, too */
function enough<Counted>(
  ms: number,
  wanted: string | undefined,
  count: (tally: Counted) => number,
): (tally: Counted) => boolean {
  const until = performance.now() + ms
  let isEnded = false
  process.once('SIGINT', () => {
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
  for (let next = seed; !isEnough(tally) && failures.length < MAX_FAILURES; next++) {
    const { tally: own, violations, log } = await runEpisode(next, STEPS)
    tally.addAll(own)
    if (own.episodes > 0 && tally.episodes % 100 === 0)
      say(`${tally.steps.total} steps in ${Math.round(passedMs() / 1000)} s`)
    if (violations.length === 0) continue
    failures.push(`seed ${next}: ${violations[0]}`)
    say([`seed ${next}:`, ...log.map((line, i) => `${i + 1} ${line}`), ...violations].join('\n'))
  }
  return { tally, violations: failures, ms: passedMs() }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
