import { createHmac, timingSafeEqual } from 'node:crypto'
import { deriveSubkey } from '@pipe-backup/crypto'
import type { Sink } from '@pipe-backup/sink'
import { ArchiveError } from './archive-error.ts'
import { sumKey } from './archive-key.ts'

/** What proves an archive without opening it. */
export interface ArchiveSum {
  readonly id: string
  readonly sizeBytes: number
  /** Of the encrypted bytes, in hex. */
  readonly sha256: string
  /** Which host sent it, 32 hex digits. */
  readonly hostId: string
}

/** Far more than it has. */
const MAX_SUM_BYTES = 4096
const FORM = /^([0-9a-f]{64}) {2}(\S+)\n# pipe-backup archive 1 (\d{1,16}) ([0-9a-f]{32}) ([0-9a-f]{64})\n$/

/**
 * The text of the object beside an archive: a line that `sha256sum -c` reads, and a comment by which a host of the vault says that it wrote
 * it (docs/format.md section 12).
 */
export async function encodeSum(indexKey: Uint8Array, sum: ArchiveSum): Promise<Buffer> {
  const { id, sizeBytes, sha256, hostId } = sum
  const mac = (await macOf(indexKey, sum)).toString('hex')
  return Buffer.from(`${sha256}  ${id}\n# pipe-backup archive 1 ${sizeBytes} ${hostId} ${mac}\n`)
}

/** @throws ArchiveError `corrupt` where no host of the vault has written it for this archive */
export async function decodeSum(indexKey: Uint8Array, id: string, object: Uint8Array): Promise<ArchiveSum> {
  const [, sha256 = '', name, size, hostId = '', mac = ''] = FORM.exec(Buffer.from(object).toString()) ?? []
  const sum = { id, sizeBytes: Number(size), sha256, hostId }
  const isOurs = name === id && timingSafeEqual(await macOf(indexKey, sum), Buffer.from(mac, 'hex'))
  if (isOurs) return sum
  throw new ArchiveError('corrupt', `${sumKey(id)} is damaged, or not of this vault`)
}

/** The proof of an archive that a sink holds. @throws ArchiveError `corrupt`; SinkError */
export async function readSum(
  sink: Sink,
  id: string,
  indexKey: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<ArchiveSum> {
  return await decodeSum(indexKey, id, await sink.get(sumKey(id), { maxBytes: MAX_SUM_BYTES, signal }))
}

/** Whether the proof that a sink holds is intact: one that it finds damaged itself is not. @throws SinkError */
export async function isSumIntact(...where: Parameters<typeof readSum>): Promise<boolean> {
  try {
    await readSum(...where)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'corrupt') return false
    throw error
  }
}

async function macOf(indexKey: Uint8Array, { id, sizeBytes, sha256, hostId }: ArchiveSum): Promise<Buffer> {
  const key = await deriveSubkey(indexKey, 1, 'pbarchiv')
  return createHmac('sha256', key)
    .update(`pipe-backup archive 1\n${id}\n${sizeBytes}\n${sha256}\n${hostId}\n`)
    .digest()
}
