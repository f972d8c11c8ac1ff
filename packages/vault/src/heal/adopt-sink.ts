import type { Sink } from '@pipe-backup/sink'
import { openObject } from '../format/sealed-object.ts'
import type { VaultHost } from '../format/vault-host.ts'
import { damageOf } from '../store/damage.ts'
import { getObject, listObjects } from '../store/read-sink.ts'
import { putVaultHeader, readVaultHeader, type VaultHeader } from '../store/vault-header.ts'
import { VaultError } from '../vault-error.ts'

export interface AdoptOptions {
  readonly host: VaultHost
  /** Whether a sink that holds nothing is a new one, to be filled. */
  readonly isNew: boolean
  readonly signal?: AbortSignal | undefined
}

/**
 * Writes `vault.json` where it is missing or damaged: on a sink that shows objects of this vault, and on a new one that is empty.
 * @returns whether it was written @throws VaultError `not-a-vault`, `unsupported-version`; SinkError
 */
export async function adoptSink(sink: Sink, options: AdoptOptions): Promise<boolean> {
  const { host, isNew, signal } = options
  let header: VaultHeader | undefined
  let damage: Error | undefined
  try {
    header = await readVaultHeader(sink, signal)
  } catch (error) {
    if (!(error instanceof VaultError) || error.code !== 'not-a-vault') throw error
    damage = error
  }
  if (header?.id === host.vaultId) return false
  if (header) throw notOurs(sink, `holds another vault (${header.id})`, 'Check where the sink points.')
  if (!(await showsOurs(sink, options))) {
    if (damage) throw damage
    if (!isNew || !(await isEmpty(sink, signal))) {
      const hint = `Is the disk mounted, the path right? To fill it again: pipe-backup heal --sink ${sink.name}`
      throw notOurs(sink, 'holds no vault', hint)
    }
  }
  await putVaultHeader(sink, host.keys.publicKey, signal)
  return true
}

const SEALED_PREFIXES = ['snapshots/', 'index/', 'trash/', 'marks/']

/** Only this vault's hosts can have written an object that opens. */
async function showsOurs(sink: Sink, { host, signal }: AdoptOptions): Promise<boolean> {
  for (const prefix of SEALED_PREFIXES) {
    for await (const { key } of listObjects(sink, prefix, signal)) {
      try {
        openObject(host.keys, key, await getObject(sink, key, signal))
        return true
      } catch (error) {
        if (damageOf(error) === undefined) throw error
      }
    }
  }
  return false
}

async function isEmpty(sink: Sink, signal: AbortSignal | undefined): Promise<boolean> {
  for (const prefix of ['snapshots/', 'index/', 'packs/']) {
    for await (const _ of listObjects(sink, prefix, signal)) return false
  }
  return true
}

function notOurs(sink: Sink, what: string, hint: string): VaultError {
  return new VaultError('not-a-vault', `sink "${sink.name}" ${what}`, { sink: sink.name, hint })
}
