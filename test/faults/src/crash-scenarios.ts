import { Readable } from 'node:stream'
import { type SendArchiveOptions, sendArchive } from '@pipe-backup/archive'
import type { Sink } from '@pipe-backup/sink'
import { addGrant, heal, initVault, prune, verify } from '@pipe-backup/vault'
import { MASTER, recipients } from './damage-base.ts'
import { keys, SmallVault } from './small-vault.ts'

/** An operation that is killed at each of its writes. */
export interface CrashScenario {
  readonly name: string
  /** Called once: each case gets a copy. */
  readonly prepare: () => Promise<SmallVault>
  /** Ids of snapshots that are to go. */
  readonly removes?: ((vault: SmallVault) => readonly string[]) | undefined
  readonly perform: (vault: SmallVault, sinks: readonly Sink[]) => Promise<unknown>
  /** Who sees that it was killed does the same again, and that must do. */
  readonly again?: boolean | undefined
}

const ARCHIVE = { name: 'bot', isTar: false } as const
export const ARCHIVE_CONTENT: Buffer = Buffer.alloc(5000, 'what is sent')

/** Three snapshots on each of two sinks; one of the sources is not read each time. */
async function level(): Promise<SmallVault> {
  const vault = await SmallVault.create(2)
  vault.everyMs = new Map([['steady', 2 * 3_600_000]])
  for (let hour = 0; hour < 3; hour++) {
    vault.live()
    await vault.backUp()
  }
  return vault
}

async function changed(): Promise<SmallVault> {
  const vault = await level()
  vault.live()
  return vault
}

/** One sink missed a snapshot and lost a pack, and nobody knows. */
async function uneven(): Promise<SmallVault> {
  const vault = await level()
  vault.live()
  await vault.backUp(vault.stores.slice(0, 1))
  const { objects } = vault.store('b')
  for (const key of [...objects.keys()].filter((one) => one.startsWith('packs/')).slice(0, 1))
    objects.delete(key)
  vault.uneven.add('b')
  return vault
}

async function empty(): Promise<SmallVault> {
  const vault = await SmallVault.create(2)
  for (const { objects } of vault.stores) objects.clear()
  vault.live()
  return vault
}

/** All but the last two. */
const oldest = (vault: SmallVault): readonly string[] => [...vault.expected.keys()].slice(0, -2)

async function pruneAll(vault: SmallVault, sinks: readonly Sink[], compact: boolean): Promise<void> {
  const going = new Set(oldest(vault))
  await prune({ ...vault.call, sinks, choose: () => going, compact, graceMs: 0 })
}

function sendOptions(vault: SmallVault, sinks: readonly Sink[]): SendArchiveOptions {
  const { host, now } = vault.call
  return {
    ...ARCHIVE,
    time: now(),
    content: Readable.from([ARCHIVE_CONTENT], { objectMode: false }),
    keys,
    signer: host.signer,
    sinks,
    copies: sinks.length,
  }
}

export const CRASH_SCENARIOS: readonly CrashScenario[] = [
  {
    name: 'init',
    prepare: empty,
    perform: (_, sinks) => initVault({ sinks, publicKey: keys.publicKey }),
    again: true,
  },
  { name: 'run with changes', prepare: changed, perform: (vault, sinks) => vault.backUp(sinks) },
  { name: 'run without changes', prepare: level, perform: (vault, sinks) => vault.backUp(sinks) },
  {
    name: 'run that catches up',
    prepare: async () => {
      const vault = await uneven()
      vault.live()
      return vault
    },
    perform: (vault, sinks) => vault.backUp(sinks),
  },
  {
    name: 'prune',
    prepare: changed,
    removes: oldest,
    perform: (vault, sinks) => pruneAll(vault, sinks, false),
  },
  {
    name: 'prune that compacts',
    prepare: changed,
    removes: oldest,
    perform: (vault, sinks) => pruneAll(vault, sinks, true),
  },
  {
    name: 'heal',
    prepare: async () => {
      const vault = await uneven()
      await verify({ ...vault.call, sinks: vault.stores })
      return vault
    },
    perform: (vault, sinks) => heal({ ...vault.call, sinks, isNew: () => false }),
  },
  {
    name: 'verify',
    prepare: uneven,
    perform: (vault, sinks) => verify({ ...vault.call, sinks }),
  },
  { name: 'send', prepare: level, perform: (vault, sinks) => sendArchive(sendOptions(vault, sinks)) },
  {
    name: 'key add-recipient',
    prepare: level,
    perform: (vault, sinks) =>
      addGrant({
        sinks,
        vaultId: vault.call.vaultId,
        master: MASTER,
        recipient: recipients[0]?.publicKey ?? new Uint8Array(),
      }),
    again: true,
  },
]
