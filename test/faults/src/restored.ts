import type { VaultKeys } from '@pipe-backup/crypto'
import type { Sink } from '@pipe-backup/sink'
import type { MemorySink } from '@pipe-backup/sink/testing'
import { openSnapshot, type SnapshotInfo } from '@pipe-backup/vault'
import { fingerprintOf } from './simulated-server.ts'

/** The fingerprint of what these sinks give. */
export async function restored(
  sinks: readonly Sink[],
  keys: VaultKeys,
  snapshot: SnapshotInfo,
  signal?: AbortSignal,
): Promise<string> {
  await using reader = await openSnapshot({ sinks, keys, snapshot, signal })
  const files: [string, Uint8Array][] = []
  for await (const entry of reader.entries()) {
    if (entry.type !== 'file') continue
    const file = await entry.open()
    const bytes = Buffer.alloc(entry.size ?? 0)
    for (let at = 0; at < bytes.length; ) at += await file.read(bytes.subarray(at))
    await file.finish()
    await file.close()
    files.push([Buffer.from(entry.path).toString(), bytes])
  }
  return fingerprintOf(files)
}

/** All that a sink holds. */
export function bytesOf({ objects }: MemorySink): number {
  let bytes = 0
  for (const object of objects.values()) bytes += object.bytes.length
  return bytes
}
