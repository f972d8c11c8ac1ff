import { Duplex, Readable } from 'node:stream'
import { CryptoError } from './crypto-error.ts'
import { EncryptedInput, type OpenAt } from './encrypted-input.ts'
import type { KeyPair } from './keys.ts'
import { readySodium } from './sodium.ts'
import {
  headerDigest,
  MAGIC,
  MAX_RECIPIENTS,
  PIECE_BYTES,
  PIECE_OVERHEAD_BYTES,
  SEALED_KEY_BYTES,
} from './stream-format.ts'

const STREAM_HEADER_BYTES = 24
const MESSAGE_BYTES = PIECE_BYTES + PIECE_OVERHEAD_BYTES

export interface DecryptOptions {
  /** What the stream must be: another label is `tampered`. Default any. */
  readonly label?: string | undefined
}

/**
 * A stream that opens what `encrypt` made. It emits nothing that has not been authenticated.
 * Fails with CryptoError `wrong-key`, `tampered`, or `truncated` when the end is missing.
 */
export function decrypt(identity: KeyPair, options: DecryptOptions = {}): Duplex {
  return Duplex.from((source: AsyncIterable<Uint8Array>) => {
    const once: OpenAt = async (_offset, error) => {
      if (error) throw error
      return source
    }
    return decryptMessages(new EncryptedInput(once), identity, options)
  })
}

/**
 * What `encrypt` made, opened from wherever it can be had: when a copy ends, fails or is damaged, `open` gives another one from the first byte
 * on that is still wanted, or throws. What comes out is each byte once, and authenticated, as with `decrypt`.
 */
export function decryptFrom(open: OpenAt, identity: KeyPair, options: DecryptOptions = {}): Readable {
  return Readable.from(decryptMessages(new EncryptedInput(open), identity, options), { objectMode: false })
}

type Pull = (message: Uint8Array) => { readonly plain: Uint8Array; readonly isLast: boolean }

async function* decryptMessages(
  input: EncryptedInput,
  identity: KeyPair,
  options: DecryptOptions,
): AsyncGenerator<Uint8Array> {
  try {
    // The header is proven by the first message: another copy has to give both.
    const { pull, first } = await input.take(async () => {
      const opener = await readHeader(input, identity, options)
      return { pull: opener, first: opener(await input.upTo(MESSAGE_BYTES)) }
    })
    let opened = first
    for (;;) {
      const { plain, isLast } = opened
      if (isLast && (await input.upTo(1)).length > 0)
        throw new CryptoError('tampered', 'there are bytes behind the end of the encrypted stream')
      yield plain
      if (isLast) return
      opened = await input.take(async () => pull(await input.upTo(MESSAGE_BYTES)))
    }
  } finally {
    await input.close()
  }
}

async function readHeader(input: EncryptedInput, identity: KeyPair, options: DecryptOptions): Promise<Pull> {
  const sodium = await readySodium()
  const parts: Uint8Array[] = []
  const next = async (bytes: number): Promise<Buffer> => {
    const part = Buffer.from(await input.upTo(bytes))
    if (part.length < bytes) throw new CryptoError('truncated', 'the encrypted stream ends in its header')
    parts.push(part)
    return part
  }
  if (!MAGIC.equals(await next(MAGIC.length)))
    throw new CryptoError('tampered', 'this is not a stream that pipe-backup has encrypted')
  const label = await next((await next(1)).readUInt8())
  const count = (await next(2)).readUInt16LE()
  if (count === 0 || count > MAX_RECIPIENTS)
    throw new CryptoError('tampered', 'the header of the encrypted stream is damaged')
  const boxes: Uint8Array[] = []
  for (let i = 0; i < count; i++) boxes.push(await next(SEALED_KEY_BYTES))
  const streamHeader = await next(STREAM_HEADER_BYTES)
  if (options.label !== undefined && !label.equals(Buffer.from(options.label)))
    throw new CryptoError('tampered', `this is ${JSON.stringify(label.toString())}, not ${options.label}`)
  const key = openAny(boxes, (box) =>
    sodium.crypto_box_seal_open(box, identity.publicKey, identity.secretKey),
  )
  const state = sodium.crypto_secretstream_xchacha20poly1305_init_pull(streamHeader, key)
  let aad: Uint8Array | null = headerDigest(Buffer.concat(parts))
  return (message) => {
    if (message.length < PIECE_OVERHEAD_BYTES)
      throw new CryptoError('truncated', 'the encrypted stream is cut short')
    const opened = sodium.crypto_secretstream_xchacha20poly1305_pull(state, message, aad)
    const isShort = message.length < MESSAGE_BYTES
    if (!opened)
      throw new CryptoError(
        isShort ? 'truncated' : 'tampered',
        `the encrypted stream is damaged${isShort ? ' or cut short' : ''}`,
      )
    aad = null
    const isLast = opened.tag === sodium.crypto_secretstream_xchacha20poly1305_TAG_FINAL
    if (isShort && !isLast)
      throw new CryptoError('tampered', 'the encrypted stream has a short message before its end')
    return { plain: opened.message, isLast }
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
