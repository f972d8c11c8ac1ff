import { type Sink, withTimeout } from '@pipe-backup/sink'
import { FAULT_KINDS, type FaultKind, injectFault } from '@pipe-backup/sink/testing'
import { heal, prune, verify } from '@pipe-backup/vault'
import { expect, test } from 'vitest'
import { aftermath } from './fault-cases.ts'
import { ALL, SEED } from './fault-sample.ts'
import { inTime } from './in-time.ts'
import { seeded } from './simulated-server.ts'
import { SmallVault } from './small-vault.ts'

const LIVES = ALL ? 400 : 6
const OPERATIONS = 8
/** About as many requests as an operation makes to a sink. */
const REQUESTS = 30
const SILENT_MS = 60
/** A sink that loses what it has acknowledged: all of them at once no program could help. */
const LOSES: ReadonlySet<FaultKind> = new Set(['lost-write', 'half-write', 'lost-delete', 'stale-list'])

/** One operation after the other, each with a fault on one sink, and nobody heals between. */
async function live(seed: number): Promise<{ said: string[]; problems: string[] }> {
  const random = seeded(seed)
  const choose = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)] as T
  using vault = await SmallVault.create(3)
  vault.live()
  await vault.backUp()
  const said: string[] = []
  const problems: string[] = []
  const bad = choose(vault.stores).name
  for (let i = 0; i < OPERATIONS; i++) {
    const kind = choose(FAULT_KINDS)
    const on = LOSES.has(kind) ? bad : choose(vault.stores).name
    const at = 1 + Math.floor(random() * REQUESTS)
    const forever = random() < 0.4
    const justPut = [...vault.store(on).objects.keys()]
    const injected = injectFault(vault.store(on), { kind, at, forever, justPut })
    const sinks = vault.stores.map(
      (store): Sink => (store.name === on ? withTimeout(injected.sink, { silentMs: SILENT_MS }) : store),
    )
    const operation = choose(['backup', 'backup', 'heal', 'prune', 'verify'] as const)
    vault.live()
    const outcome = await inTime(perform(vault, operation, sinks))
    const code = outcome instanceof Error ? outcome.message : outcome.exitCode
    said.push(`${operation}, ${kind} ${forever ? 'from' : 'at'} ${at} of ${on}: ${code}`)
    if (outcome instanceof Error && !['SinkError', 'VaultError'].includes(outcome.name))
      problems.push(`${operation}: ${outcome.stack}`)
    if (random() < 0.4) vault.passDays(2)
  }
  vault.passDays(3)
  return { said, problems: [...problems, ...(await aftermath(vault, true))] }
}

async function perform(
  vault: SmallVault,
  operation: 'backup' | 'heal' | 'prune' | 'verify',
  sinks: readonly Sink[],
) {
  const { call } = vault
  switch (operation) {
    case 'backup': {
      const { exitCode } = await vault.backUp(sinks)
      return { exitCode, intact: [] }
    }
    case 'heal':
      return { ...(await heal({ ...call, sinks, isNew: () => false })), intact: [] }
    case 'verify':
      return { ...(await verify({ ...call, sinks })), intact: [] }
    case 'prune': {
      const choose = (shown: readonly { readonly id: string }[]) => {
        const going = new Set(shown.slice(0, -2).map(({ id }) => id))
        // Also where the prune fails later: whoever asked for it wants them no more.
        for (const id of going) vault.expected.delete(id)
        return going
      }
      return { ...(await prune({ ...call, sinks, choose, compact: true, graceMs: 0 })), intact: [] }
    }
  }
}

test('faults in one operation after the other: what was committed restores from every sink, when they are over and healed', async () => {
  const problems: string[] = []
  const started = performance.now()
  for (let i = 0; i < LIVES; i++) {
    const life = await live(SEED + i)
    if (life.problems.length === 0) continue
    problems.push([`seed ${SEED + i}:`, ...life.said, ...life.problems].join('\n'))
    process.stdout.write(`${problems.at(-1)}\n`)
  }
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  process.stdout.write(`${LIVES} lives of ${OPERATIONS} operations, seed ${SEED}, ${seconds} s\n`)
  expect(problems).toEqual([])
}, 3_600_000)
