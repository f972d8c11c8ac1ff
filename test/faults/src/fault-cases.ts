import { type Sink, withTimeout } from '@pipe-backup/sink'
import { type FaultKind, type Injection, injectFault } from '@pipe-backup/sink/testing'
import { heal, verify } from '@pipe-backup/vault'
import type { Outcome, Scenario } from './fault-scenarios.ts'
import { inTime } from './in-time.ts'
import type { SmallVault } from './small-vault.ts'

/** What hangs is given up after this. */
const SILENT_MS = 60
/** A sink that does one of these has not reported it to the operation: its report can't know, and the next verification must. */
const UNREPORTED: ReadonlySet<FaultKind> = new Set([
  'lost-write',
  'half-write',
  'lost-delete',
  'stale-list',
  'short-read',
])

export interface FaultCase extends Injection {
  /** Name of the sink. */
  readonly on: string
}

export interface CaseResult {
  readonly fired: readonly string[]
  /** What was not as it must be: empty when all is well. */
  readonly problems: readonly string[]
}

/** Breaks one operation at one point, and looks at what it says, at what is left, and at what becomes of that when the fault is gone. */
export async function runCase(
  { removes, provesAll = false, perform }: Scenario,
  prepared: SmallVault,
  { on, ...injection }: FaultCase,
): Promise<CaseResult> {
  using vault = prepared.copy()
  const { kind } = injection
  const justPut = [...vault.store(on).objects.keys()]
  const { sink, fired } = injectFault(vault.store(on), { ...injection, justPut })
  const faulty = kind === 'hang' ? withTimeout(sink, { silentMs: SILENT_MS }) : sink
  const sinks = vault.stores.map((store): Sink => (store.name === on ? faulty : store))
  const going = removes?.(vault) ?? []
  const outcome = await inTime(perform(vault, sinks))
  for (const id of going) vault.expected.delete(id)
  const problems: string[] = []
  if (outcome instanceof Error) {
    if (!['SinkError', 'VaultError'].includes(outcome.name)) problems.push(`throws ${outcome.stack}`)
  } else {
    const isTold = !UNREPORTED.has(kind)
    problems.push(...(await falseClaims(vault, outcome, { going, isTold, fired })))
    if (provesAll && isTold && fired.length > 0 && outcome.intact.includes(on))
      problems.push(`says that ${on} is intact, of which it could not read everything`)
  }
  // Sessions that the fault left behind.
  vault.passDays(3)
  // What a sink has reported heal finds by itself; what it has not, only a verification can.
  const isVerified = UNREPORTED.has(kind) || injection.at % 2 === 0
  problems.push(...(await aftermath(vault, isVerified)))
  if (!(outcome instanceof Error) && !UNREPORTED.has(kind))
    for (const name of outcome.pruned ?? []) problems.push(...shownOf(vault, name, going))
  return { fired: [...fired], problems }
}

/** Of the snapshots that are to be gone, those that a sink shows. */
function shownOf(vault: SmallVault, name: string, going: readonly string[]): string[] {
  return [...vault.store(name).objects.keys()]
    .filter((key) => key.startsWith('snapshots/') && going.some((id) => key.endsWith(id)))
    .map((key) => `was said to be pruned: ${name} has ${key}`)
}

/** What the operation says of sinks that is not so. */
async function falseClaims(
  vault: SmallVault,
  { exitCode, intact, pruned = [], wrong = [] }: Outcome,
  {
    going,
    isTold,
    fired,
  }: { readonly going: readonly string[]; readonly isTold: boolean; readonly fired: readonly string[] },
): Promise<string[]> {
  const claims = [...wrong]
  if (fired.length === 0 && exitCode !== 0 && wrong.length === 0 && intact.length === vault.stores.length)
    claims.push(`exit code ${exitCode}, and nothing happened`)
  if (!isTold) return claims
  for (const name of intact)
    for (const flaw of await vault.flawsOf(vault.store(name))) claims.push(`said to be intact: ${flaw}`)
  for (const name of pruned) claims.push(...shownOf(vault, name, going))
  return claims
}

/** The fault is gone: what verify calls ok must be so, heal repairs the rest, and in the end everything is everywhere. */
export async function aftermath(vault: SmallVault, isVerified: boolean): Promise<string[]> {
  const problems: string[] = []
  const { call, stores: sinks } = vault
  const found = isVerified ? await verify({ ...call, sinks }) : { sinks: [] }
  for (const { name, state } of found.sinks) {
    if (state !== 'ok') continue
    for (const flaw of await vault.flawsOf(vault.store(name))) problems.push(`verify says ok: ${flaw}`)
  }
  const healed = await heal({ ...call, sinks, isNew: () => false })
  if (healed.exitCode !== 0) problems.push(`heal: ${JSON.stringify(healed)}`)
  const last = await verify({ ...call, sinks })
  if (last.exitCode !== 0) problems.push(`verify after heal: ${JSON.stringify(last.sinks)}`)
  for (const sink of sinks) for (const flaw of await vault.flawsOf(sink)) problems.push(`after heal: ${flaw}`)
  return problems
}

export interface LoopOptions {
  /** The first request that is broken, from 1, and by how many the next is further on. */
  readonly from: number
  readonly stride: number
}

export interface LoopResult {
  readonly cases: number
  readonly fired: number
  readonly problems: readonly string[]
}

/** Moves a fault through all the requests of an operation, until it has run through without meeting it. */
export async function runLoop(
  scenario: Scenario,
  prepared: SmallVault,
  fault: Omit<FaultCase, 'at'>,
  { from, stride }: LoopOptions,
): Promise<LoopResult> {
  const problems: string[] = []
  let fired = 0
  for (let at = from, cases = 1; ; at += stride, cases++) {
    const result = await runCase(scenario, prepared, { ...fault, at })
    fired += result.fired.length
    const what = `${scenario.name}: ${fault.kind} ${fault.forever ? 'from' : 'at'} request ${at} of ${fault.on}`
    const where = `${what} (${result.fired.slice(0, 3).join(', ')})`
    problems.push(...result.problems.map((problem) => `${where}: ${problem}`))
    if (result.fired.length === 0) return { cases, fired, problems }
  }
}
