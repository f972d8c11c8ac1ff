import type { Sink } from '@pipe-backup/sink'
import {
  heal,
  listSnapshots,
  openGrant,
  openSnapshot,
  prune,
  type VerifyReport,
  verify,
} from '@pipe-backup/vault'
import { MASTER, recipients } from './damage-base.ts'
import { inTime } from './in-time.ts'
import type { SmallVault } from './small-vault.ts'

/** Kinds of errors that say what is wrong with what is stored: others are faults of the program. */
const TYPED = new Set(['VaultError', 'SinkError'])

/** What a call gave, if it ended as it may: well, or with an error that says what is wrong. */
export async function ended<T>(flaws: string[], what: string, work: Promise<T>): Promise<T | undefined> {
  const result = await inTime(work)
  if (!(result instanceof Error)) return result
  if (!TYPED.has(result.name)) flaws.push(`${what}: raw error ${result.stack ?? String(result)}`)
  return undefined
}

/** What sinks give: the files that came back right, and what was said of the others. */
export interface Restored {
  /** Snapshot and path. */
  readonly right: ReadonlySet<string>
  readonly said: string
}

/** Reads all snapshots, each source and each file by itself; what comes back wrong is a flaw. */
export async function restore(vault: SmallVault, sinks: readonly Sink[], flaws: string[]): Promise<Restored> {
  const right = new Set<string>()
  const said: string[] = []
  const onProblem = (error: Error) => void said.push(error.message)
  const from = sinks.map(({ name }) => name).join()
  const failed = (error: unknown) => {
    const name = error instanceof Error ? error.name : ''
    if (!TYPED.has(name)) flaws.push(`restore from ${from}: raw error ${String(error)}`)
    said.push(String(error))
  }
  const { keys } = vault.call
  const onUnreadable = ({ key }: { key: string }) => void said.push(key)
  const shown = await listSnapshots({ sinks, keys, onProblem, onUnreadable }).catch(failed)
  for (const snapshot of shown ?? []) {
    const files = vault.files.get(snapshot.id)
    if (!files || snapshot.sources.length !== 2) flaws.push(`${from} shows ${snapshot.id}, which never was`)
    const opening = openSnapshot({ sinks, keys, snapshot, onProblem })
    await using reader = (await opening.catch(failed)) ?? undefined
    if (!reader) continue
    for (const { name } of snapshot.sources) {
      try {
        const paths = new Set<string>()
        for await (const entry of reader.entries([Buffer.from(name)])) {
          const path = Buffer.from(entry.path).toString()
          paths.add(path)
          if (entry.type !== 'file') continue
          try {
            const file = await entry.open()
            const parts: Buffer[] = []
            for (const memory = Buffer.alloc(4096); ; ) {
              const got = await file.read(memory)
              if (got === 0) break
              parts.push(Buffer.from(memory.subarray(0, got)))
            }
            await file.close()
            if (Buffer.compare(Buffer.concat(parts), files?.get(path) ?? Buffer.of()) === 0)
              right.add(`${snapshot.id} ${path}`)
            else flaws.push(`${path} of ${snapshot.id} from ${from} has other bytes`)
          } catch (error) {
            failed(error)
          }
        }
        for (const path of files?.keys() ?? [])
          if (path.startsWith(`${name}/`) && !paths.has(path))
            flaws.push(`${from} gives ${snapshot.id} without ${path}, and says nothing`)
      } catch (error) {
        failed(error)
      }
    }
  }
  return { right, said: said.join('\n') }
}

/** What a recipient gets of this vault from these sinks: its master, or nothing. */
export async function openGrants(
  vault: SmallVault,
  sinks: readonly Sink[],
  flaws: string[],
): Promise<number> {
  let opened = 0
  for (const pair of recipients) {
    const opening = openGrant({ sinks, pair, vaultId: vault.call.vaultId, onProblem: () => undefined })
    const master = await ended(flaws, 'openGrant', opening)
    if (master && Buffer.compare(master, MASTER) !== 0) flaws.push('a grant gives another master')
    if (master) opened++
  }
  return opened
}

export function verifyAll(vault: SmallVault, isDeep: boolean): Promise<VerifyReport> {
  const { call, stores: sinks } = vault
  return verify({ ...call, sinks, ...(isDeep && { deepKeys: call.keys }) })
}

/** Whether a report says of an object that something is wrong with it. */
export function names(report: VerifyReport | undefined, sink: string, key: string): boolean {
  const found = report?.sinks.find(({ name }) => name === sink)
  return found?.problems.some((problem) => problem.key === key && problem.sink === sink) ?? false
}

/** A prune, with or without a run before it. */
export async function pruneBeside(vault: SmallVault, withRun: boolean, flaws: string[]): Promise<void> {
  vault.live()
  if (withRun) await ended(flaws, 'run', vault.backUp())
  const { call, stores: sinks } = vault
  const pruning = prune({ ...call, sinks, choose: () => new Set(), compact: true, graceMs: 0 })
  await ended(flaws, 'prune', pruning)
}

export function healAll(vault: SmallVault): ReturnType<typeof heal> {
  return heal({ ...vault.call, sinks: vault.stores, isNew: () => false })
}
