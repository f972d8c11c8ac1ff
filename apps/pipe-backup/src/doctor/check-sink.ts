import { randomBytes } from 'node:crypto'
import { type Sink, SinkError } from '@pipe-backup/sink'
import { requireVault } from '@pipe-backup/vault'
import { formatBytes, formatSeconds } from '../terminal/quantities.ts'
import { type Finding, failureOf } from './finding.ts'

/** Beside the vault's own objects; nothing lists it but this. */
const PROBES = 'probes/'
const PROBE_BYTES = 64
/** A probe that a killed check has left. */
const OLD_MS = 60 * 60 * 1000
/** Two clocks may differ so much: S3 refuses at 15 minutes, and timers and retention are by the hour. */
const SKEW_MS = 5 * 60 * 1000
const SCARCE_BYTES = 1024 ** 3
const FULL_BYTES = 64 * 1024 ** 2

/** Of a sink whose place is to be made: without a vault no disk can be missing. */
export const NEW_PLACE = 'it answers; what it is in is not there yet, and `pipe-backup init` makes it'

export interface CheckSinkOptions {
  /** Undefined when this host has no key yet. */
  readonly vaultId: string | undefined
  readonly signal: AbortSignal
  /** What a week's runs bring, in bytes, as far as is known. */
  readonly bytesPerWeek?: number | undefined
  /** Where its server is to refuse deletes and replacements: the same sink, without refusals of its own. */
  readonly unguarded?: Sink | undefined
}

/** Tries all that a run, a restore and a prune ask of a sink, with a probe object that is gone in the end. */
export async function checkSink(sink: Sink, options: CheckSinkOptions): Promise<Finding[]> {
  const { signal, vaultId } = options
  const findings: Finding[] = []
  try {
    findings.push(...(await probe(sink, options)))
    if (vaultId !== undefined) await requireVault(sink, vaultId, signal)
    const room = await checkRoom(sink, options)
    if (room) findings.push(room)
  } catch (error) {
    signal.throwIfAborted()
    if (vaultId === undefined && error instanceof SinkError && error.isPlaceMissing)
      findings.push({ state: 'ok', message: NEW_PLACE })
    else findings.push(failureOf(error))
  }
  return findings
}

async function probe(sink: Sink, { signal, unguarded }: CheckSinkOptions): Promise<Finding[]> {
  const started = performance.now()
  const key = `${PROBES}${randomBytes(8).toString('hex')}`
  const bytes = randomBytes(PROBE_BYTES)
  const before = Date.now()
  await sink.put(key, bytes, { ifAbsent: true, signal })
  const stored = (before + Date.now()) / 2
  const findings: Finding[] = []
  const failed: Finding[] = []
  const old: string[] = []
  try {
    if (!bytes.equals(await sink.get(key, { maxBytes: bytes.length, signal })))
      failed.push({ state: 'failure', message: 'gave back other bytes than it was given' })
    let isListed = false
    for await (const { key: listed, storedAt } of sink.list(PROBES, { signal })) {
      if (listed === key) {
        isListed = true
        const skew = clockFinding(storedAt.getTime() - stored)
        if (skew) findings.push(skew)
      } else if (Date.now() - storedAt.getTime() > OLD_MS) old.push(listed)
    }
    if (!isListed) failed.push({ state: 'failure', message: 'does not list what it has just stored' })
  } finally {
    const deleted = await deleteProbe(unguarded ?? sink, key, { isToRefuse: unguarded !== undefined, signal })
    if (deleted) findings.push(deleted)
  }
  if (failed.length > 0) return [...failed, ...findings]
  if (!sink.appendOnly) await sink.deleteMany(old, { signal })
  const seconds = (performance.now() - started) / 1000
  const done =
    findings.some(({ message }) => message.startsWith(REFUSED)) || sink.appendOnly
      ? 'written, read back and listed'
      : 'written, read back, listed and deleted'
  return [{ state: 'ok', message: `a probe was ${done} in ${formatSeconds(seconds)}` }, ...findings]
}

const APPEND_ONLY_HINT =
  'rrsync needs -no-del and -no-overwrite, S3 the policy in the README of sink-s3. Elsewhere have the server keep versions or snapshots that this credential can’t remove.'
const REFUSED = 'it does not let the probe be deleted'

async function deleteProbe(
  sink: Sink,
  key: string,
  { isToRefuse, signal }: { readonly isToRefuse: boolean; readonly signal: AbortSignal },
): Promise<Finding | undefined> {
  const appendOnly = sink.appendOnly || isToRefuse
  try {
    await sink.delete(key, { signal })
    if (isToRefuse) {
      const message =
        'it lets the probe be deleted, though `appendOnly` says that its server refuses: a thief with this credential can delete all that is there'
      return { state: 'warning', message, hint: APPEND_ONLY_HINT }
    }
    if (!appendOnly && (await sink.head(key, { signal })) !== undefined)
      return { state: 'failure', message: 'still shows what it has just deleted' }
    // A version that is hidden, as under S3's Object Lock, may still be there.
    return undefined
  } catch (error) {
    if (!(error instanceof SinkError) || error.code !== 'forbidden') throw error
    if (await canBeReplaced(sink, key, signal)) {
      return {
        state: 'warning',
        message: `${REFUSED}, and lets it be replaced by other bytes: a thief with this credential can corrupt all that is there`,
        hint: APPEND_ONLY_HINT,
      }
    }
    if (appendOnly) return { state: 'ok', message: `${REFUSED}, or replaced: append-only, as it should be` }
    return {
      state: 'warning',
      message: `${REFUSED} (${error.message}): \`prune\` can free nothing there`,
      hint: 'Let this credential delete; or, where it is meant so, have somebody else thin it out.',
    }
  }
}

/** Not to delete is not yet to keep: who may write over what is there has no need to delete it. */
async function canBeReplaced(sink: Sink, key: string, signal: AbortSignal): Promise<boolean> {
  try {
    await sink.put(key, randomBytes(PROBE_BYTES), { signal })
    return true
  } catch (error) {
    if (!(error instanceof SinkError) || !['forbidden', 'exists'].includes(error.code)) throw error
    return false
  }
}

/** @param skewMs - how far the sink's clock is ahead */
function clockFinding(skewMs: number): Finding | undefined {
  if (Math.abs(skewMs) <= SKEW_MS) return undefined
  const how = `${formatSeconds(Math.abs(skewMs) / 1000)} ${skewMs > 0 ? 'ahead of' : 'behind'}`
  return {
    state: 'warning',
    message: `its clock is ${how} this machine's: one of them is wrong`,
    hint: 'Let NTP set both: certificates, signatures, timers and `keep` rest on them.',
  }
}

async function checkRoom(
  sink: Sink,
  { signal, bytesPerWeek = 0 }: CheckSinkOptions,
): Promise<Finding | undefined> {
  const free = await sink.freeBytes?.({ signal })
  if (free === undefined) return undefined
  const left = `${formatBytes(free)} free`
  const hint = 'Free some, lower `keep`, or give it a larger place.'
  if (free < FULL_BYTES) return { state: 'failure', message: `${left}: it is full`, hint }
  if (bytesPerWeek > 0 && free < 4 * bytesPerWeek)
    return {
      state: 'warning',
      message: `${left}, and the last week has brought ${formatBytes(bytesPerWeek)}`,
      hint,
    }
  if (free < SCARCE_BYTES) return { state: 'warning', message: left, hint }
  return { state: 'ok', message: left }
}
