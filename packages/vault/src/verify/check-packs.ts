import { discard } from '../discard.ts'
import { forEachLimited } from '../for-each-limited.ts'
import { packKey } from '../format/pack-format.ts'
import { hasCode } from '../has-code.ts'
import { type PackProof, StoredPackProver } from '../store/prove-stored-pack.ts'
import type { Replica } from '../store/replica.ts'
import type { DeepProver } from './deep-prover.ts'
import type { VerifyProgress } from './report.ts'
import { isWithin, type SampleWindow } from './sample-window.ts'

const PACKS_AT_ONCE = 8
/** Each is read whole, and opened: two that a thread has, and one for this thread. */
const OPENED_AT_ONCE = 3

interface CheckPacksOptions {
  /** Names of packs, and the keys of the snapshots that need them. */
  readonly needed: ReadonlyMap<string, readonly string[]>
  /** How many bytes packs must have, by name, as far as any index says. */
  readonly sizes: ReadonlyMap<string, number>
  readonly window: SampleWindow
  /** Opens what is read, too. */
  readonly deep: DeepProver | undefined
  readonly progress: VerifyProgress
}

/**
 * Whether the packs that a sink's snapshots need are there, and all that are there as they were written: those of a sample by their
 * bytes, the others by their sizes.
 * @returns how many packs were proven, and how many bytes were read for it
 */
export async function checkPacks(
  replica: Replica,
  options: CheckPacksOptions,
): Promise<{ packsProven: number; bytesRead: number }> {
  const { needed, sizes, window, progress } = options
  const { packs, truncated } = replica.listing
  for (const [name, [snapshot]] of needed) {
    const key = packKey(name)
    if (!packs.has(name) && !truncated.has(key))
      replica.found(key, 'missing', `${key} is missing: ${snapshot} needs it`)
  }
  const names = [...packs.keys()].filter((name) => isWithin(name, window)).sort()
  progress.packsToProve += names.length
  // A wrong size is seen without reading, in every verification.
  for (const [name, { sizeBytes }] of packs) checkSize(replica, name, sizeBytes, sizes.get(name))
  const prover = new StoredPackProver(replica.sink)
  const done = { packsProven: 0, bytesRead: 0 }
  await forEachLimited(names, options.deep ? OPENED_AT_ONCE : PACKS_AT_ONCE, async (name) => {
    if (replica.damaged.has(packKey(name))) return
    const proof = await provePack(replica, prover, name, needed.get(name)?.[0], options)
    if (!proof) return
    done.bytesRead += proof.bytesRead
    progress.bytesRead += proof.bytesRead
    progress.packs++
    if (replica.damaged.has(packKey(name))) return
    done.packsProven++
    replica.proven(packKey(name))
  })
  return done
}

function checkSize(replica: Replica, name: string, sizeBytes: number, expected: number | undefined): void {
  if (expected === undefined || expected === sizeBytes) return
  const key = packKey(name)
  replica.found(key, 'corrupt', `${key} is damaged: it has ${sizeBytes} bytes, not ${expected}`)
}

/** @param snapshot - the key of one that needs it, if any does @returns undefined where it could not be read */
async function provePack(
  replica: Replica,
  prover: StoredPackProver,
  name: string,
  snapshot: string | undefined,
  { deep }: CheckPacksOptions,
): Promise<PackProof | undefined> {
  const key = packKey(name)
  const { signal } = replica.context
  let proof: PackProof
  try {
    // A deep verification takes nobody's word for it: each sink's own bytes are read.
    proof = deep ? await prover.read(name, signal) : await prover.prove(name, signal)
  } catch (error) {
    signal?.throwIfAborted()
    if (hasCode(error, 'not-found')) await isGone(replica, key, snapshot)
    else if (hasCode(error, 'corrupt') && error instanceof Error)
      replica.found(key, 'corrupt', `${key} is damaged: ${error.message}`)
    else throw error
    return undefined
  }
  const wrong = proof.isWhole && proof.pack ? await deep?.prove(name, proof.pack) : undefined
  if (proof.pack) discard(proof.pack)
  if (!proof.isWhole)
    replica.found(key, 'corrupt', `${key} is damaged: its bytes do not have the SHA-256 that is its name`)
  else if (wrong !== undefined) replica.found(key, 'corrupt', `${key} was written wrong: ${wrong}`)
  return proof
}

/** Listed, and gone now: a prune may have deleted it, if nothing needs it. */
async function isGone(replica: Replica, key: string, snapshot: string | undefined): Promise<void> {
  replica.exclude(key)
  const { signal } = replica.context
  if (snapshot === undefined || !(await replica.sink.head(snapshot, { signal }))) return
  replica.found(key, 'missing', `${key} is missing: ${snapshot} needs it`)
}
