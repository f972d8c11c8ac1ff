import { crc32 } from 'node:zlib'
import { packKey } from '../format/pack-format.ts'
import { hasCode } from '../has-code.ts'
import type { FinishedPack } from '../seal/pack-writer.ts'
import { changedInMemory } from '../store/watch-memory.ts'
import { VaultError } from '../vault-error.ts'
import type { BackupTarget } from './backup-target.ts'

/**
 * Sees a bit that flips in memory between the proof of what was sealed and the end of its sending, which may be hours later. A pack that is
 * not what was proven counts as damaged on the sinks that were sent it: it is brought there from one that has it whole, or the run is repeated.
 */
export class MemoryWatch {
  /** The last that was seen. */
  fault: VaultError | undefined
  readonly #sent = new Map<FinishedPack, Set<BackupTarget>>()

  /** A pack has been sent to a sink; its memory is not used for anything else before `release`. */
  sent(pack: FinishedPack, target: BackupTarget): void {
    const targets = this.#sent.get(pack)
    if (targets) targets.add(target)
    else this.#sent.set(pack, new Set([target]))
  }

  /** No sink needs a pack any more. */
  release(pack: FinishedPack): void {
    this.#look(pack, this.#sent.get(pack) ?? new Set())
    this.#sent.delete(pack)
  }

  /** Looks at what was sent to a sink and others still need, before the sink is believed to have it. */
  check(target: BackupTarget): void {
    for (const [pack, targets] of this.#sent) if (targets.delete(target)) this.#look(pack, new Set([target]))
  }

  /** Stores an object, and looks whether its bytes are what they were. @param crc - CRC-32 of what was proven @throws SinkError; VaultError `fault` */
  async put(target: BackupTarget, { key, object, crc }: ProvenObject): Promise<void> {
    let isChanged = false
    try {
      await target.put(key, object)
    } catch (error) {
      if (!hasCode(error, 'fault')) throw error
      isChanged = true
    }
    if (!isChanged && crc32(object) === crc) return
    this.fault = changedInMemory(target.replica.name, key)
    // Nothing needs it yet, and no other sink has it whole. One that does not let it go shows damage.
    await target.replica.remove([key]).catch(() => undefined)
    if (target.replica.has(key)) this.#found(target, key)
    throw this.fault
  }

  #look(pack: FinishedPack, targets: ReadonlySet<BackupTarget>): void {
    if (targets.size === 0 || crc32(new Uint8Array(pack.buffer, 0, pack.length)) === pack.crc) return
    for (const target of targets) {
      target.sent.delete(pack.name)
      this.#found(target, packKey(pack.name))
    }
  }

  #found(target: BackupTarget, key: string): void {
    this.fault = changedInMemory(target.replica.name, key)
    target.replica.found(key, 'corrupt', this.fault.message, { cause: this.fault })
  }
}

/** What was sealed, and opened again. */
export interface ProvenObject {
  readonly key: string
  readonly object: Uint8Array
  /** CRC-32, taken before it was opened. */
  readonly crc: number
}

/** Opens an object again that was just sealed. @param open - throws, or is false, where it is not what it should be @throws VaultError `fault` */
export function proveObject(key: string, object: Uint8Array, open: () => boolean): ProvenObject {
  const crc = crc32(object)
  let cause: unknown
  try {
    if (open()) return { key, object, crc }
  } catch (error) {
    cause = error
  }
  throw new VaultError('fault', `${key} did not open again after it was sealed, and was not sent`, {
    key,
    hint: "This machine's memory or processor can't be trusted: test it (memtest) before you rely on its backups.",
    cause,
  })
}
