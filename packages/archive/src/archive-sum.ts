import {
  isTrusted,
  type ObjectKeys,
  openSigned,
  SIGNED_BYTES,
  type Signer,
  signContent,
} from '@pipe-backup/crypto'
import type { Sink } from '@pipe-backup/sink'
import { ArchiveError } from './archive-error.ts'
import { sumKey } from './archive-key.ts'

/** What is proven of an archive. */
interface Proven {
  readonly id: string
  readonly sizeBytes: number
  /** Of the encrypted bytes, in hex. */
  readonly sha256: string
}

/** What proves an archive without opening it. */
export interface ArchiveSum extends Proven {
  /** Which host sent it, 32 hex digits. */
  readonly hostId: string
  /** The object beside the archive that says so. */
  readonly proof: Uint8Array
}

/** Far more than it has. */
const MAX_SUM_BYTES = 4096
const FORM = /^([0-9a-f]{64}) {2}(\S+)\n# pipe-backup archive 1 (\d{1,16}) ([\w+/]{1,400}={0,2})\n$/

/**
 * The text of the object beside an archive: a line that `sha256sum -c` reads, and a comment by which a host of the vault says that it wrote
 * it (docs/format.md section 12).
 */
export function encodeSum(signer: Signer, proven: Proven): Buffer {
  const { id, sizeBytes, sha256 } = proven
  const signed = signContent(signer, labelOf(id), contentOf(proven)).toString('base64')
  return Buffer.from(`${sha256}  ${id}\n# pipe-backup archive 1 ${sizeBytes} ${signed}\n`)
}

/** @throws ArchiveError `corrupt` where no host of the vault has written it for this archive */
export function decodeSum(keys: ObjectKeys, id: string, object: Uint8Array): ArchiveSum {
  const text = Buffer.from(object).toString()
  const [, sha256 = '', name, size, encoded = ''] = FORM.exec(text) ?? []
  const signed = Buffer.from(encoded, 'base64')
  const proven = { id, sizeBytes: Number(size), sha256 }
  const isOne = name === id && signed.length === SIGNED_BYTES && signed.toString('base64') === encoded
  if (!isOne) throw notProven(id)
  const content = Buffer.concat([signed, contentOf(proven)])
  let author: ReturnType<typeof openSigned>['author']
  try {
    author = openSigned(keys, labelOf(id), content).author
  } catch (cause) {
    throw notProven(id, cause)
  }
  if (!isTrusted(keys, author, () => sha256))
    throw new ArchiveError(
      'corrupt',
      `${sumKey(id)} is not believed: host ${author.hostId}, which wrote it, is revoked`,
    )
  return { ...proven, hostId: author.hostId, proof: object }
}

/** The proof of an archive that a sink holds. @throws ArchiveError `corrupt`; SinkError */
export async function readSum(
  sink: Sink,
  id: string,
  keys: ObjectKeys,
  signal: AbortSignal | undefined,
): Promise<ArchiveSum> {
  return decodeSum(keys, id, await sink.get(sumKey(id), { maxBytes: MAX_SUM_BYTES, signal }))
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

function labelOf(id: string): string {
  return `pipe-backup archive 1\n${id}`
}

function contentOf({ sizeBytes, sha256 }: Proven): Buffer {
  return Buffer.from(`${sizeBytes}\n${sha256}\n`)
}

function notProven(id: string, cause?: unknown): ArchiveError {
  return new ArchiveError('corrupt', `${sumKey(id)} is damaged, or not of this vault`, { cause })
}
