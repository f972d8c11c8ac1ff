import { Readable } from 'node:stream'
import { CryptoError, decryptFrom, type KeyPair } from '@pipe-backup/crypto'
import { type Sink, toError } from '@pipe-backup/sink'
import { ArchiveError } from './archive-error.ts'
import { archiveKey } from './archive-key.ts'
import type { ArchiveInfo } from './list-archives.ts'

export interface ReceiveArchiveOptions {
  readonly archive: Pick<ArchiveInfo, 'id' | 'sizeBytes' | 'holders'>
  readonly identity: KeyPair
  readonly signal?: AbortSignal | undefined
  /** Called with each sink whose copy can't be read or is damaged; another goes on where it ended. */
  readonly onProblem?: ((sink: string, error: Error) => void) | undefined
}

/**
 * What was sent, as a stream. Each byte that comes out has been authenticated, whichever of the copies it is from.
 * Fails with ArchiveError `lost` when no copy is whole from where the others ended; CryptoError `wrong-key`.
 */
export function receiveArchive({ archive, identity, signal, onProblem }: ReceiveArchiveOptions): Readable {
  const { id, holders } = archive
  const left = [...holders]
  let reading: Sink | undefined
  const open = async (offset: number, error?: Error): Promise<AsyncIterable<Uint8Array>> => {
    signal?.throwIfAborted()
    let reason: unknown = error
    for (;;) {
      if (reading && reason !== undefined) onProblem?.(reading.name, problemWith(id, reason))
      reading = left.shift()
      // One for whom it was not encrypted learns so, unless a copy opens: a damaged header looks the same.
      if (!reading) throw isWrongKey(reason) ? reason : lost(id, reason)
      try {
        return offset >= archive.sizeBytes
          ? Readable.from([])
          : await reading.createReadStream(archiveKey(id), { offset, signal })
      } catch (failure) {
        signal?.throwIfAborted()
        reason = failure
      }
    }
  }
  return decryptFrom(open, identity, { label: id })
}

function isWrongKey(error: unknown): error is CryptoError {
  return error instanceof CryptoError && error.code === 'wrong-key'
}

function lost(id: string, cause: unknown): ArchiveError {
  return new ArchiveError('lost', `${id} can't be read to its end from any sink that answers`, {
    hint: 'Bring back any sink that is away.',
    cause,
  })
}

/** What `decrypt` says names no object. */
function problemWith(id: string, reason: unknown): Error {
  if (!(reason instanceof CryptoError)) return toError(reason)
  return new ArchiveError('corrupt', `${archiveKey(id)}: ${reason.message}`, { cause: reason })
}
