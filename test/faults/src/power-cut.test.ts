import { expect, test } from 'vitest'
import { CRASH_SCENARIOS } from './crash-scenarios.ts'
import { ALL, SEED } from './fault-sample.ts'
import { afterPowerCut, recordScenario, sampled } from './power-cuts.ts'
import { seeded } from './simulated-server.ts'

/** Of a sample, one of so many states is looked at. */
const STRIDE = 90

test.for(CRASH_SCENARIOS)(
  '$name: whatever a power cut undoes, what was reported as stored is there, and the next runs are clean',
  { timeout: 3_600_000 },
  async (scenario) => {
    using prepared = await scenario.prepare()
    using recording = await recordScenario(scenario, prepared)
    const stride = ALL ? 1 : STRIDE
    const problems: string[] = []
    let states = 0
    for (const cut of sampled(recording, stride, Math.floor(seeded(SEED)() * stride))) {
      states++
      const { calls } = cut
      const last = recording.calls[calls - 1]
      const where = `${scenario.name}: after call ${calls}, ${last ? JSON.stringify({ ...last, bytes: undefined }) : 'none'}, ${cut.how}`
      for (const problem of await afterPowerCut(scenario, prepared, recording, cut))
        problems.push(`${where}: ${problem}`)
    }
    process.stdout.write(
      `${scenario.name}: ${recording.calls.length} calls, ${states} states, seed ${SEED}\n`,
    )
    expect(problems).toEqual([])
    expect(states).toBeGreaterThan(0)
  },
)
