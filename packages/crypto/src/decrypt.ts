import { Duplex } from 'node:stream'
import { ByteQueue } from './byte-queue.ts'
import { CryptoError } from './crypto-error.ts'
import type { KeyPair } from './keys.ts'
import { readySodium } from './sodium.ts'
import {
  headerDigest,
  MAGIC,
  MOST_RECIPIENTS,
  PIECE_BYTES,
  PIECE_OVERHEAD_BYTES,
  SEALED_KEY_BYTES,
} from './stream-format.ts'

const STREAM_HEADER_BYTES = 24

/**
 * A stream that opens what `encrypt` made. It emits nothing that has not been authenticated.
 * Fails with CryptoError `wrong-key`, `tampered`, or `truncated` when the end is missing.
 */
export function decrypt(identity: KeyPair): Duplex {
  return Duplex.from((source: AsyncIterable<Uint8Array>) => decryptPieces(source, identity))
}

async function* decryptPieces(
  source: AsyncIterable<Uint8Array>,
  identity: KeyPair,
): AsyncGenerator<Uint8Array> {
  const sodium = await readySodium()
  const input = source[Symbol.asyncIterator]()
  const queue = new ByteQueue()
  let ended = false
  const fill = async (bytes: number): Promise<void> => {
    while (!ended && queue.length < bytes) {
      const step = await input.next()
      if (step.done) ended = true
      else queue.push(step.value)
    }
  }
  const exactly = async (bytes: number): Promise<Uint8Array> => {
    await fill(bytes)
    if (queue.length < bytes) throw new CryptoError('truncated', 'the encrypted stream ends in its header')
    return Uint8Array.from(queue.take(bytes))
  }

  const magic = await exactly(MAGIC.length)
  if (!MAGIC.equals(magic))
    throw new CryptoError('tampered', 'this is not a stream that pipe-backup has encrypted')
  const countBytes = await exactly(2)
  const count = Buffer.from(countBytes).readUInt16LE()
  if (count === 0 || count > MOST_RECIPIENTS)
    throw new CryptoError('tampered', 'the header of the encrypted stream is damaged')
  const boxes: Uint8Array[] = []
  for (let i = 0; i < count; i++) boxes.push(await exactly(SEALED_KEY_BYTES))
  const streamHeader = await exactly(STREAM_HEADER_BYTES)
  const key = openAny(boxes, (box) =>
    sodium.crypto_box_seal_open(box, identity.publicKey, identity.secretKey),
  )
  const state = sodium.crypto_secretstream_xchacha20poly1305_init_pull(streamHeader, key)
  let aad: Uint8Array | null = headerDigest(Buffer.concat([magic, countBytes, ...boxes, streamHeader]))

  for (;;) {
    await fill(PIECE_BYTES + PIECE_OVERHEAD_BYTES)
    if (queue.length < PIECE_OVERHEAD_BYTES)
      throw new CryptoError('truncated', 'the encrypted stream is cut short')
    const piece = queue.take(Math.min(queue.length, PIECE_BYTES + PIECE_OVERHEAD_BYTES))
    const opened = sodium.crypto_secretstream_xchacha20poly1305_pull(state, piece, aad)
    if (!opened) {
      const cut = ended && piece.length < PIECE_BYTES + PIECE_OVERHEAD_BYTES
      throw new CryptoError(
        cut ? 'truncated' : 'tampered',
        `the encrypted stream is damaged${cut ? ' or cut short' : ''}`,
      )
    }
    aad = null
    if (opened.tag === sodium.crypto_secretstream_xchacha20poly1305_TAG_FINAL) {
      await fill(1)
      if (queue.length > 0)
        throw new CryptoError('tampered', 'there are bytes behind the end of the encrypted stream')
      yield opened.message
      return
    }
    if (piece.length < PIECE_BYTES + PIECE_OVERHEAD_BYTES)
      throw new CryptoError('tampered', 'the encrypted stream has a short message before its end')
    yield opened.message
  }
}

function openAny(boxes: readonly Uint8Array[], open: (box: Uint8Array) => Uint8Array): Uint8Array {
  for (const box of boxes) {
    try {
      return open(box)
    } catch {
      // For another recipient.
    }
  }
  throw new CryptoError('wrong-key', 'the stream was encrypted for another key', {
    hint: 'Is it the phrase of another vault?',
  })
}
