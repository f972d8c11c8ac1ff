import { createHash } from 'node:crypto'
import { packKey } from '../format/pack-format.ts'
import { VaultError } from '../vault-error.ts'
import type { Replica } from './replica.ts'
import { type Lacking, readFromAny } from './replicas.ts'

/** Reads a pack from whichever replica has it whole: its bytes are what its name says. @throws the abort's reason */
export function fetchPack(name: string, replicas: readonly Replica[]): Promise<Uint8Array | Lacking> {
  const key = packKey(name)
  return readFromAny(replicas, key, (pack) => {
    if (createHash('sha256').update(pack).digest('hex') === name) return pack
    throw new VaultError('corrupt', `${key} is damaged`, { key })
  })
}
