import type { Sink } from '@pipe-backup/sink'
import { heal, listSnapshots, prune, verify } from '@pipe-backup/vault'
import { restored } from './restored.ts'
import { SmallVault } from './small-vault.ts'

/** What an operation says of itself when it has ended. */
export interface Outcome {
  readonly exitCode: number
  /** Names of the sinks of which it says that they hold all snapshots. */
  readonly intact: readonly string[]
  /** Names of the sinks of which it says that what was to go is gone. */
  readonly pruned?: readonly string[] | undefined
  /** What is wrong with it, whatever the fault was. */
  readonly wrong?: readonly string[] | undefined
}

/** An operation that is broken at each of its requests to one sink. */
export interface Scenario {
  readonly name: string
  /** Names of the sinks on which faults make a difference. */
  readonly faulty: readonly string[]
  /** Called once: each case gets a copy. */
  readonly prepare: () => Promise<SmallVault>
  /** Ids of snapshots that are to go. */
  readonly removes?: (vault: SmallVault) => readonly string[]
  /** Whether it may call a sink intact only when each of its requests was answered. */
  readonly provesAll?: boolean | undefined
  readonly perform: (vault: SmallVault, sinks: readonly Sink[], signal?: AbortSignal) => Promise<Outcome>
}

/** Three snapshots on each sink. */
async function level(sinks: number): Promise<SmallVault> {
  const vault = await SmallVault.create(sinks)
  for (let hour = 0; hour < 3; hour++) {
    vault.live()
    await vault.backUp()
  }
  return vault
}

async function backUp(vault: SmallVault, sinks: readonly Sink[], signal?: AbortSignal): Promise<Outcome> {
  const report = await vault.backUp(sinks, signal)
  const ok = report.sinks.filter(({ state }) => state === 'ok').map(({ name }) => name)
  const intact = report.snapshot === null ? [] : ok
  const wrong = ok.length === report.copies ? [] : [`copies ${report.copies}, sinks ${ok.join()}`]
  return { exitCode: report.exitCode, intact, wrong: report.snapshot === null ? [] : wrong }
}

async function changed(sinks: number): Promise<SmallVault> {
  const vault = await level(sinks)
  vault.live()
  return vault
}

/** One sink missed a snapshot, another lost a pack, and a verification has seen it. */
async function uneven(): Promise<SmallVault> {
  const vault = await level(3)
  vault.live()
  await vault.backUp(vault.stores.slice(0, 2))
  loseAPack(vault, 'b')
  await verify({ ...vault.call, sinks: vault.stores })
  return vault
}

function loseAPack(vault: SmallVault, name: string): void {
  const { objects } = vault.store(name)
  const pack = [...objects.keys()].find((key) => key.startsWith('packs/'))
  if (pack !== undefined) objects.delete(pack)
}

async function healAll(vault: SmallVault, sinks: readonly Sink[], signal?: AbortSignal): Promise<Outcome> {
  const report = await heal({ ...vault.call, sinks, isNew: () => false, signal })
  const intact = report.sinks.filter(({ state }) => state === 'level').map(({ name }) => name)
  return { exitCode: report.exitCode, intact }
}

/** All but the last two. */
const oldest = (vault: SmallVault): readonly string[] => [...vault.expected.keys()].slice(0, -2)

async function pruneAll(vault: SmallVault, sinks: readonly Sink[], signal?: AbortSignal): Promise<Outcome> {
  const going = new Set(oldest(vault))
  const choose = () => going
  const report = await prune({ ...vault.call, sinks, choose, compact: true, graceMs: 0, signal })
  const pruned = report.sinks.filter(({ state }) => state === 'pruned').map(({ name }) => name)
  return { exitCode: report.exitCode, intact: pruned, pruned }
}

async function verifyAll(vault: SmallVault, sinks: readonly Sink[], signal?: AbortSignal): Promise<Outcome> {
  const { sinks: found, exitCode } = await verify({ ...vault.call, sinks, signal })
  const intact = found.filter(({ state }) => state === 'ok').map(({ name }) => name)
  return { exitCode, intact }
}

async function restoreAll(
  vault: SmallVault,
  sinks: readonly Sink[],
  signal?: AbortSignal,
): Promise<string[]> {
  const { keys } = vault.call
  const shown = await listSnapshots({ sinks, keys, signal })
  const wrong: string[] = []
  for (const [id, expected] of vault.expected) {
    const snapshot = shown.find((one) => one.id === id)
    if (!snapshot) wrong.push(`snapshot ${id} is not listed`)
    else if ((await restored(sinks, keys, snapshot, signal)) !== expected)
      wrong.push(`snapshot ${id} restores to other bytes`)
  }
  return wrong
}

export const SCENARIOS: readonly Scenario[] = [
  { name: 'backup on three sinks', faulty: ['b', 'a', 'c'], prepare: () => changed(3), perform: backUp },
  { name: 'backup on two sinks', faulty: ['b', 'a'], prepare: () => changed(2), perform: backUp },
  { name: 'heal', faulty: ['c', 'a', 'b'], prepare: uneven, perform: healAll },
  {
    name: 'prune',
    faulty: ['b', 'a', 'c'],
    prepare: () => changed(3),
    removes: oldest,
    perform: pruneAll,
  },
  {
    name: 'verify of a vault that is whole',
    faulty: ['b', 'a'],
    prepare: () => level(3),
    provesAll: true,
    perform: verifyAll,
  },
  {
    name: 'verify of a vault that lost a pack',
    faulty: ['b', 'a'],
    prepare: async () => {
      const vault = await level(3)
      loseAPack(vault, 'b')
      return vault
    },
    perform: async (vault, sinks, signal) => {
      const outcome = await verifyAll(vault, sinks, signal)
      return { ...outcome, wrong: outcome.intact.includes('b') ? ['says that b has its pack'] : [] }
    },
  },
  {
    // The other sink has all of it: nothing less than everything will do.
    name: 'restore from two sinks',
    faulty: ['a', 'b'],
    prepare: () => level(2),
    perform: async (vault, sinks, signal) => {
      const wrong = await restoreAll(vault, sinks, signal).catch((error: unknown) => {
        signal?.throwIfAborted()
        return [String(error)]
      })
      return { exitCode: 0, intact: [], wrong }
    },
  },
  {
    name: 'restore from one sink',
    faulty: ['a'],
    prepare: () => level(2),
    perform: async (vault, sinks, signal) => {
      const wrong = await restoreAll(vault, sinks.slice(0, 1), signal)
      // A listing that comes late can't be told from one that has no more.
      return { exitCode: 0, intact: [], wrong: wrong.filter((one) => !one.endsWith('is not listed')) }
    },
  },
]
