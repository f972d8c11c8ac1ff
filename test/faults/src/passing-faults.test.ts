import { type Sink, withRetry, withTimeout } from '@pipe-backup/sink'
import { type FaultKind, injectFault } from '@pipe-backup/sink/testing'
import { expect, test } from 'vitest'
import { ALL, SEED } from './fault-sample.ts'
import { SCENARIOS, type Scenario } from './fault-scenarios.ts'
import { inTime } from './in-time.ts'
import { seeded } from './simulated-server.ts'
import type { SmallVault } from './small-vault.ts'

const STRIDE = 22
const SILENT_MS = 60
const PASSING: readonly FaultKind[] = [
  'unreachable',
  'throttled',
  'timeout',
  'hang',
  'torn-write',
  'unanswered-write',
  'torn-read',
]
/** How long a caller waits that has given up, at most: sessions have 3 s to be removed. */
const ABORT_MS = 6000

/** The sinks of a copy, one of them with a fault, as the program wraps them. */
function faulted(vault: SmallVault, on: string, kind: FaultKind, at: number) {
  const { sink, fired } = injectFault(vault.store(on), { kind, at })
  const retried = withRetry(withTimeout(sink, { silentMs: SILENT_MS }), { sleep: () => Promise.resolve() })
  const sinks = vault.stores.map((store): Sink => (store.name === on ? retried : store))
  return { sinks, fired }
}

/** @returns what an operation said, where it should have said the same as without a fault */
async function differences(scenario: Scenario, prepared: SmallVault, random: () => number) {
  const said = async (sinks: (vault: SmallVault) => readonly Sink[]) => {
    using vault = prepared.copy()
    const outcome = await inTime(scenario.perform(vault, sinks(vault)))
    return outcome instanceof Error ? String(outcome) : JSON.stringify(outcome)
  }
  const expected = await said(({ stores }) => stores)
  const different: string[] = []
  let faults = 0
  for (const kind of PASSING) {
    const stride = ALL ? 1 : STRIDE
    for (let at = 1 + Math.floor(random() * stride), before = -1; before !== faults; at += stride) {
      before = faults
      let fired: readonly string[] = []
      const outcome = await said((vault) => {
        const faulty = faulted(vault, scenario.faulty[0] ?? '', kind, at)
        fired = faulty.fired
        return faulty.sinks
      })
      faults += fired.length
      if (outcome !== expected) different.push(`${kind} at ${at} (${fired.join()}): ${outcome}`)
    }
  }
  return { different, faults }
}

test.for(SCENARIOS)('$name: with withRetry nobody sees a fault that passes', async (scenario) => {
  using prepared = await scenario.prepare()
  const { different, faults } = await differences(scenario, prepared, seeded(SEED))
  process.stdout.write(`${scenario.name}: ${faults} faults that pass, seed ${SEED}\n`)
  expect(different).toEqual([])
})

test.for(SCENARIOS)(
  '$name: a caller that gives up gets its own reason soon, whatever hangs',
  async (scenario) => {
    const random = seeded(SEED)
    using prepared = await scenario.prepare()
    const on = scenario.faulty[0] ?? ''
    for (let i = 0; i < (ALL ? 20 : 2); i++) {
      using vault = prepared.copy()
      const at = 1 + Math.floor(random() * 12)
      const { sink, fired } = injectFault(vault.store(on), { kind: 'hang', at })
      const sinks = vault.stores.map((store): Sink => (store.name === on ? sink : store))
      const reason = new Error('given up')
      const stop = new AbortController()
      setTimeout(() => stop.abort(reason), 100)
      const started = performance.now()
      const outcome = await inTime(scenario.perform(vault, sinks, stop.signal))
      // The last request, which says goodbye, has a deadline of its own: what it says is not waited for.
      if (fired.some((one) => !one.startsWith('delete sessions/')))
        expect([at, fired, outcome]).toEqual([at, fired, reason])
      expect(performance.now() - started).toBeLessThan(ABORT_MS)
    }
  },
)
