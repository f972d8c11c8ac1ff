import { text } from 'node:stream/consumers'
import { decrypt } from '../decrypt.ts'
import { encrypt } from '../encrypt.ts'
import { deriveKeys, openSealed, sealTo } from '../keys.ts'
import { masterFromPhrase, phraseFromMaster } from '../phrase.ts'
import { readySodium } from '../sodium.ts'
import { headerDigest } from '../stream-format.ts'

const { publicKey, secretKey } = await deriveKeys(new Uint8Array(32).fill(7))
const PAIR = { publicKey, secretKey }
const KEY = new Uint8Array(32).fill(9)
const BOX = await sealTo(publicKey, KEY)
const sodium = await readySodium()

async function encrypted(content: string): Promise<Buffer> {
  const stream = encrypt([publicKey], { label: 'a' })
  stream.end(Buffer.from(content))
  const pieces: Uint8Array[] = []
  for await (const piece of stream as AsyncIterable<Uint8Array>) pieces.push(piece)
  return Buffer.concat(pieces)
}

async function open(stream: Uint8Array): Promise<void> {
  const opened = decrypt(PAIR, { label: 'a' })
  opened.on('error', () => {})
  opened.end(Buffer.from(stream))
  await text(opened)
}

/**
 * A stream whose messages are authentic, though they need not be what `encrypt` writes: a label, then messages, each a byte with what its tag is, one
 * with its length, and the content.
 */
function authentic(bytes: Uint8Array): Buffer {
  const [labelBytes = 0] = bytes
  const label = bytes.subarray(1, 1 + labelBytes)
  const start = Buffer.concat([
    Buffer.from('PBCRYPT\u0001'),
    Buffer.of(label.length),
    label,
    Buffer.of(1, 0),
    BOX,
  ])
  const { state, header } = sodium.crypto_secretstream_xchacha20poly1305_init_push(KEY)
  const parts: Uint8Array[] = [start, header]
  let aad: Uint8Array | null = headerDigest(Buffer.concat(parts))
  for (let rest = bytes.subarray(1 + label.length); rest.length >= 2; ) {
    const [tag = 0, length = 0] = rest
    // 64 KiB, as all messages but the last one are.
    const content = length === 255 ? new Uint8Array(64 * 1024) : rest.subarray(2, 2 + length)
    parts.push(sodium.crypto_secretstream_xchacha20poly1305_push(state, content, aad, tag & 3))
    aad = null
    rest = rest.subarray(2 + (length === 255 ? 0 : content.length))
    if (parts.length > 40) break
  }
  return Buffer.concat(parts)
}

/** What test/fuzz feeds. */
export const fuzzTargets: readonly {
  readonly name: string
  readonly seeds: readonly Uint8Array[]
  readonly decode: (bytes: Uint8Array) => unknown
}[] = [
  { name: 'encrypted-stream', seeds: [await encrypted('content')], decode: open },
  {
    name: 'encrypted-messages',
    seeds: [
      Buffer.from('\u0001a\u0000\u00ff\u0003\u0002bc', 'latin1'),
      Buffer.from('\u0001a\u0003\u0000', 'latin1'),
    ],
    decode: (bytes) => open(authentic(bytes)),
  },
  {
    name: 'sealed-box',
    seeds: [BOX],
    decode: async (bytes) => await openSealed(PAIR, bytes),
  },
  {
    name: 'phrase',
    seeds: [Buffer.from(phraseFromMaster(KEY)), Buffer.from(phraseFromMaster(new Uint8Array(32)))],
    decode: (bytes) => {
      const phrase = Buffer.from(bytes).toString()
      const master = masterFromPhrase(phrase)
      if (Buffer.compare(masterFromPhrase(phraseFromMaster(master)), master) !== 0)
        throw new Error('it is encoded to another phrase than was decoded')
    },
  },
]
