import { FAULT_KINDS } from '@pipe-backup/sink/testing'
import { expect, test } from 'vitest'
import { runLoop } from './fault-cases.ts'
import { ALL, SEED } from './fault-sample.ts'
import { SCENARIOS } from './fault-scenarios.ts'
import { seeded } from './simulated-server.ts'

/** Of a sample, so many requests lie between two that are broken. */
const STRIDE = 22

test.for(SCENARIOS)(
  '$name: whatever request fails, it ends, says what is missing, and heal and verify are clean later',
  { timeout: 3_600_000 },
  async (scenario) => {
    const random = seeded(SEED)
    using prepared = await scenario.prepare()
    const started = performance.now()
    const problems: string[] = []
    let [cases, fired] = [0, 0]
    for (const kind of FAULT_KINDS) {
      for (const on of ALL ? scenario.faulty : scenario.faulty.slice(0, 1)) {
        for (const forever of ALL ? [false, true] : [random() < 0.5]) {
          const stride = ALL ? 1 : STRIDE
          const from = 1 + Math.floor(random() * stride)
          const looped = await runLoop(scenario, prepared, { kind, on, forever }, { from, stride })
          cases += looped.cases
          fired += looped.fired
          problems.push(...looped.problems)
          // At once: all of them take minutes.
          for (const problem of looped.problems) process.stdout.write(`${problem}\n`)
        }
      }
    }
    const seconds = ((performance.now() - started) / 1000).toFixed(1)
    process.stdout.write(`${scenario.name}: ${cases} cases, ${fired} faults, seed ${SEED}, ${seconds} s\n`)
    expect(problems).toEqual([])
    expect(fired).toBeGreaterThan(0)
  },
)
