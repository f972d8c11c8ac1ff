import { JSON_VALUES, NUMBERS, WORDS } from './dictionary.ts'
import type { Random } from './random.ts'

/** No input is longer. */
export const MAX_INPUT_BYTES: number = 64 * 1024

type Mutator = (bytes: Buffer, random: Random, other: Uint8Array) => Buffer

const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|true|false|null/g
/** In a text of more tokens, only these are found: the search would take longer than the decoder. */
const MAX_TOKENS = 200

const MUTATORS: readonly Mutator[] = [
  (bytes, random) => {
    const at = random.below(bytes.length)
    const changed = Buffer.from(bytes)
    changed[at] = (changed[at] ?? 0) ^ (1 << random.below(8))
    return changed
  },
  (bytes, random) => {
    const changed = Buffer.from(bytes)
    changed[random.below(bytes.length)] = random.below(256)
    return changed
  },
  (bytes, random) => {
    const [from, to] = span(bytes, random)
    return splice(bytes, from, to)
  },
  (bytes, random) => bytes.subarray(0, random.below(bytes.length)),
  (bytes, random) => {
    const [from, to] = span(bytes, random)
    return splice(bytes, random.below(bytes.length + 1), undefined, bytes.subarray(from, to))
  },
  (bytes, random) => splice(bytes, random.below(bytes.length + 1), undefined, random.pick(WORDS)),
  (bytes, random) => splice(bytes, random.below(bytes.length + 1), undefined, random.pick(NUMBERS)),
  (bytes, random) => over(bytes, random, random.pick(WORDS)),
  (bytes, random) => over(bytes, random, random.pick(NUMBERS)),
  (bytes, random, other) => {
    const [from, to] = span(other, random)
    return splice(bytes, random.below(bytes.length + 1), undefined, other.subarray(from, to))
  },
  (bytes, random, other) =>
    Buffer.concat([
      bytes.subarray(0, random.below(bytes.length + 1)),
      other.subarray(random.below(other.length)),
    ]),
  replaceToken,
  replaceToken,
  repeatMany,
]

/**
 * Changes an input a little: one to six of the usual mutations, of which some know the tokens of JSON, or repeat a part until the input is long,
 * which is how what takes quadratic time is found.
 * @param other - another input, of which parts are taken
 */
export function mutate(input: Uint8Array, random: Random, other: Uint8Array): Buffer {
  let bytes = Buffer.from(input)
  for (let left = 1 + random.below(6); left > 0; left--)
    bytes = Buffer.from(random.pick(MUTATORS)(bytes, random, other))
  return bytes.subarray(0, MAX_INPUT_BYTES)
}

function span(bytes: Uint8Array, random: Random): [from: number, to: number] {
  const from = random.below(bytes.length)
  const most = random.below(4) === 0 ? bytes.length - from : Math.min(16, bytes.length - from)
  return [from, from + 1 + random.below(most)]
}

function splice(
  bytes: Uint8Array,
  from: number,
  to: number = from,
  insert: Uint8Array = new Uint8Array(),
): Buffer {
  return Buffer.concat([bytes.subarray(0, from), insert, bytes.subarray(to)])
}

function over(bytes: Uint8Array, random: Random, insert: Uint8Array): Buffer {
  const from = random.below(bytes.length)
  return splice(bytes, from, from + insert.length, insert)
}

function replaceToken(bytes: Buffer, random: Random): Buffer {
  const tokens = tokensOf(bytes.toString('latin1'))
  if (tokens.length === 0) return over(bytes, random, random.pick(WORDS))
  const { index, 0: token } = random.pick(tokens)
  const value = random.below(2) === 0 ? random.pick(JSON_VALUES) : random.pick(tokens)[0]
  return splice(bytes, index, index + token.length, Buffer.from(value, 'latin1'))
}

function tokensOf(text: string): readonly RegExpExecArray[] {
  const tokens: RegExpExecArray[] = []
  for (const token of text.matchAll(TOKEN)) if (tokens.push(token) === MAX_TOKENS) break
  return tokens
}

function repeatMany(bytes: Buffer, random: Random): Buffer {
  // Rarely: inputs that are long take long.
  if (random.below(8) > 0) return bytes
  const [from, to] = span(bytes, random)
  const part = random.below(2) === 0 ? bytes.subarray(from, to) : random.pick(WORDS)
  const room = MAX_INPUT_BYTES - bytes.length
  const times = Math.floor(room / Math.max(1, part.length)) >> random.below(6)
  const at = random.below(bytes.length + 1)
  return splice(bytes, at, undefined, Buffer.concat(Array.from({ length: Math.max(0, times) }, () => part)))
}
