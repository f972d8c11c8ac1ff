import type { Sink } from '@pipe-backup/sink'
import { hasCode } from '../has-code.ts'
import { listObjects } from '../store/read-sink.ts'
import type { Replica } from '../store/replica.ts'
import { readVaultHeader, requireVault } from '../store/vault-header.ts'

/** Whether a sink says which vault it holds. @throws VaultError where it is no sink of this vault, rather than one that is damaged */
export async function checkHeader(replica: Replica): Promise<void> {
  const { sink } = replica
  const { vaultId, signal } = replica.context
  const key = 'vault.json'
  let why: 'missing' | 'corrupt' = 'missing'
  let isOther = false
  try {
    const header = await readVaultHeader(sink, signal)
    if (header?.id === vaultId) {
      replica.proven(key)
      return
    }
    isOther = header !== undefined
  } catch (error) {
    if (!hasCode(error, 'not-a-vault')) throw error
    why = 'corrupt'
  }
  if (isOther || !(await showsSnapshots(sink, signal))) await requireVault(sink, vaultId, signal)
  replica.found(key, why, `${key} is ${why === 'missing' ? 'missing' : 'damaged'}`)
}

async function showsSnapshots(sink: Sink, signal: AbortSignal | undefined): Promise<boolean> {
  for await (const _ of listObjects(sink, 'snapshots/', signal)) return true
  return false
}
