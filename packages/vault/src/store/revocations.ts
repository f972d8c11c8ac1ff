import { join } from 'node:path'
import type { ObjectKeys } from '@pipe-backup/crypto'
import type { ObjectInfo, Sink } from '@pipe-backup/sink'
import { openRevocation, revokedHostOf } from '../format/revocation.ts'
import { isObject } from '../is-object.ts'
import { readStateFile, writeStateFile } from '../state-file.ts'
import { VaultError } from '../vault-error.ts'
import { damageOf } from './damage.ts'
import { getObject, listObjects } from './read-sink.ts'

/** Takes in that a host was revoked. Where two revocations of one host differ, what both let stand is believed. @throws as `openRevocation` */
function learnRevocation(keys: ObjectKeys, key: string, object: Uint8Array): void {
  const { hostId, believed } = openRevocation(keys, key, object)
  const known = keys.revoked.get(hostId)
  keys.revoked.set(hostId, known ? known.intersection(believed) : believed)
}

/**
 * Learns which hosts were revoked, as a sink says. A revocation that is damaged is passed over: a verification finds it.
 * @returns what there is below `grants/`
 * @throws SinkError; VaultError `unsupported-version`
 */
export async function learnRevocations(
  sink: Sink,
  keys: ObjectKeys,
  signal: AbortSignal | undefined,
  known?: KnownRevocations,
): Promise<readonly ObjectInfo[]> {
  const grants = await Array.fromAsync(listObjects(sink, 'grants/', signal))
  for (const { key } of grants) {
    if (revokedHostOf(key) === undefined) continue
    try {
      const object = await getObject(sink, key, signal)
      learnRevocation(keys, key, object)
      known?.add(key, object)
    } catch (error) {
      if (damageOf(error) === undefined) throw error
    }
  }
  return grants
}

/** The revocations that this host has seen: a sink that hides one hides it from no host that knows of it. */
export class KnownRevocations {
  readonly #file: string
  readonly #objects: Map<string, Uint8Array>
  #isNew = false

  /** Takes in those that were seen before. @param directory - this host's state; holds `revoked.json`, mode 0600 */
  static async open(directory: string, keys: ObjectKeys): Promise<KnownRevocations> {
    const file = join(directory, 'revoked.json')
    const saved = await readStateFile(file)
    const objects = new Map<string, Uint8Array>()
    for (const [key, text] of Object.entries(isObject(saved) ? saved : {})) {
      if (typeof text !== 'string') continue
      const object = Buffer.from(text, 'base64')
      try {
        learnRevocation(keys, key, object)
        objects.set(key, object)
      } catch {
        // Of another vault that this state was used for.
      }
    }
    return new KnownRevocations(file, objects)
  }

  private constructor(file: string, objects: Map<string, Uint8Array>) {
    this.#file = file
    this.#objects = objects
  }

  /** @param object - one that was taken in */
  add(key: string, object: Uint8Array): void {
    if (revokedHostOf(key) === undefined || this.#objects.has(key)) return
    this.#objects.set(key, object)
    this.#isNew = true
  }

  /** Without it a sink may hide one later: no reason for a command to fail. */
  async save(): Promise<void> {
    if (!this.#isNew) return
    this.#isNew = false
    const texts = [...this.#objects].map(([key, object]) => [key, Buffer.from(object).toString('base64')])
    await writeStateFile(this.#file, Object.fromEntries(texts)).catch(() => undefined)
  }
}

export interface LearnRevokedHostsOptions {
  readonly sinks: readonly Sink[]
  readonly keys: ObjectKeys
  readonly signal?: AbortSignal | undefined
}

/** Learns which hosts were revoked from all the sinks that answer, for whoever reads what hosts have signed beside the vault. @throws the abort's reason */
export async function learnRevokedHosts({ sinks, keys, signal }: LearnRevokedHostsOptions): Promise<void> {
  await Promise.allSettled(sinks.map((sink) => learnRevocations(sink, keys, signal)))
  signal?.throwIfAborted()
}

/** @throws VaultError `not-permitted` for a host that was revoked: nobody would believe what it writes */
export function requireTrusted({ revoked }: Pick<ObjectKeys, 'revoked'>, hostId: string): void {
  if (!revoked.has(hostId)) return
  throw new VaultError('not-permitted', "this host's key was revoked: nothing that it writes is believed", {
    hint: 'If the host is to be trusted again, give it a new key: move the host key file away, then pipe-backup init --phrase-file FILE',
  })
}
