import { createHash } from 'node:crypto'
import { wordlist } from '@scure/bip39/wordlists/english.js'
import { masterFromPhrase } from './phrase.ts'

const WORDS = 24
const BITS = 11
const numbers = new Map(wordlist.map((word, i) => [word, i]))

interface Candidate {
  readonly words: readonly number[]
  /** How it differs from what was given, as the end of a sentence. */
  readonly slip: string
}

/**
 * Finds out how a phrase that is not right came from one that is, by a single slip: one word is another, two have changed places, one is missing,
 * or one too many. It takes less than a second, and no secret that whoever has so much of the phrase could not work out himself.
 * @param words - the words alone, one blank between them
 * @param isRight - whether a master secret is the one that is looked for: called for one of 256 guesses
 * @returns the end of a sentence, `when word 3 is "apple"`; undefined where no single slip explains it
 */
export async function findSlip(
  words: string,
  isRight: (master: Uint8Array) => Promise<boolean>,
): Promise<string | undefined> {
  for (const { words: guess, slip } of candidates(words.split(' '))) {
    if (!addsUp(guess)) continue
    const master = masterFromPhrase(guess.map((number) => wordlist[number]).join(' '))
    if (await isRight(master)) return slip
  }
  return undefined
}

function* candidates(words: readonly string[]): Generator<Candidate> {
  const given = words.map((word) => numbers.get(word))
  const unknown = given.flatMap((number, i) => (number === undefined ? [i] : []))
  const known = given.map((number) => number ?? 0)
  const [wrong, another] = unknown
  if (another !== undefined) return
  const places = wrong === undefined ? [...known.keys()] : [wrong]
  if (known.length === WORDS + 1)
    for (const i of places) yield { words: known.toSpliced(i, 1), slip: `without word ${i + 1}` }
  if (known.length === WORDS - 1 && wrong === undefined)
    for (let i = 0; i < WORDS; i++)
      for (const [number, word] of wordlist.entries())
        yield { words: known.toSpliced(i, 0, number), slip: `when "${word}" is put in as word ${i + 1}` }
  if (known.length !== WORDS) return
  if (wrong === undefined) yield* swapped(known)
  for (const i of places)
    for (const [number, word] of wordlist.entries())
      if (number !== given[i]) yield { words: known.with(i, number), slip: `when word ${i + 1} is "${word}"` }
}

function* swapped(words: readonly number[]): Generator<Candidate> {
  for (const [i, first] of words.entries())
    for (const [j, second] of words.entries())
      if (j > i && first !== second)
        yield {
          words: words.with(i, second).with(j, first),
          slip: `when words ${i + 1} and ${j + 1} change places`,
        }
}

/** Whether the last 8 of the words' 264 bits are the checksum of the others (BIP39). */
function addsUp(words: readonly number[]): boolean {
  const bytes = new Uint8Array((WORDS * BITS) / 8)
  for (const [i, word] of words.entries())
    for (let bit = 0; bit < BITS; bit++) {
      const at = i * BITS + bit
      if ((word >> (BITS - 1 - bit)) & 1) bytes[at >> 3] = (bytes[at >> 3] ?? 0) | (0x80 >> (at & 7))
    }
  return createHash('sha256').update(bytes.subarray(0, 32)).digest()[0] === bytes[32]
}
