import { beforeAll, expect, test } from 'vitest'
import { crashOnce, watchStates } from './crash-cases.ts'
import { CRASH_SCENARIOS } from './crash-scenarios.ts'
import { ALL, SEED } from './fault-sample.ts'
import { seeded } from './simulated-server.ts'

/** Of a sample, one of so many writes is where it is killed. */
const STRIDE = 5

beforeAll(watchStates)

test.for(CRASH_SCENARIOS)(
  '$name: killed at whatever write, what was committed opens, the next runs are clean, and nothing is left over',
  { timeout: 3_600_000 },
  async (scenario) => {
    const random = seeded(SEED)
    using prepared = await scenario.prepare()
    const whole = await crashOnce(scenario, prepared, { at: 0, side: 'after' })
    expect(whole).toMatchObject({ hasCrashed: false, problems: [] })
    const problems: string[] = []
    const stride = ALL ? 1 : STRIDE
    let crashes = 0
    for (const side of ['before', 'after'] as const) {
      for (
        let at = 1 + Math.floor(random() * Math.min(stride, whole.points.length));
        at <= whole.points.length;
        at += stride
      ) {
        const result = await crashOnce(scenario, prepared, { at, side })
        if (result.hasCrashed) crashes++
        const where = `${scenario.name}: killed ${side} write ${at}, ${result.points.at(-1)}`
        problems.push(...result.problems.map((problem) => `${where}: ${problem}`))
      }
    }
    process.stdout.write(
      `${scenario.name}: ${whole.points.length} writes, ${crashes} crashes, seed ${SEED}\n`,
    )
    expect(problems).toEqual([])
    expect(crashes).toBeGreaterThan(0)
  },
)
