import { Duplex } from 'node:stream'
import { ByteQueue } from './byte-queue.ts'
import { readySodium } from './sodium.ts'
import { headerDigest, MAGIC, MAX_LABEL_BYTES, MAX_RECIPIENTS, PIECE_BYTES } from './stream-format.ts'

/** Whom to encrypt for: an X25519 public key of 32 bytes. */
export type Recipient = Uint8Array

export interface EncryptOptions {
  /** What this is, for whoever holds several: at most 255 bytes of UTF-8, in the clear, and proven by the encryption. Default none. */
  readonly label?: string | undefined
}

/**
 * A stream that encrypts what is written to it, for one or more recipients, in libsodium's secretstream framing
 * (XChaCha20-Poly1305, messages of 64 KiB). Any length, memory of a few messages. Layout: README.md.
 */
export function encrypt(
  recipients: Recipient | readonly Recipient[],
  { label = '' }: EncryptOptions = {},
): Duplex {
  const list = recipients instanceof Uint8Array ? [recipients] : recipients
  if (list.length === 0 || list.length > MAX_RECIPIENTS)
    throw new RangeError(`from 1 to ${MAX_RECIPIENTS} recipients, not ${list.length}`)
  const labelBytes = Buffer.from(label)
  if (labelBytes.length > MAX_LABEL_BYTES) throw new RangeError(`a label of ${labelBytes.length} bytes`)
  return Duplex.from((source: AsyncIterable<Uint8Array>) => encryptPieces(source, list, labelBytes))
}

async function* encryptPieces(
  source: AsyncIterable<Uint8Array>,
  recipients: readonly Recipient[],
  label: Uint8Array,
): AsyncGenerator<Uint8Array> {
  const sodium = await readySodium()
  const key = sodium.crypto_secretstream_xchacha20poly1305_keygen()
  const boxes = recipients.map((recipient) => sodium.crypto_box_seal(key, recipient))
  const count = Buffer.alloc(2)
  count.writeUInt16LE(boxes.length)
  const { state, header } = sodium.crypto_secretstream_xchacha20poly1305_init_push(key)
  const start = Buffer.concat([MAGIC, Buffer.of(label.length), label, count, ...boxes, header])
  yield start
  const message = 0
  const final = sodium.crypto_secretstream_xchacha20poly1305_TAG_FINAL
  let aad: Uint8Array | null = headerDigest(start)
  const queue = new ByteQueue()
  for await (const bytes of source) {
    queue.push(bytes)
    // One byte is held back: the last message must carry the final tag, and be empty only when there was nothing at all.
    while (queue.length > PIECE_BYTES) {
      yield sodium.crypto_secretstream_xchacha20poly1305_push(state, queue.take(PIECE_BYTES), aad, message)
      aad = null
    }
  }
  yield sodium.crypto_secretstream_xchacha20poly1305_push(state, queue.take(queue.length), aad, final)
}
