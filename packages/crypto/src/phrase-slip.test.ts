import { expect, test } from 'vitest'
import { masterFromPhrase, phraseFromMaster } from './phrase.ts'
import { findSlip } from './phrase-slip.ts'

const MASTER = Uint8Array.from({ length: 32 }, (_, i) => i * 7)
const WORDS = phraseFromMaster(MASTER).split(' ')
const isRight = (master: Uint8Array) => Promise.resolve(Buffer.compare(master, MASTER) === 0)
const slipOf = (words: readonly string[]) => findSlip(words.join(' '), isRight)

test('one slip is found, and said so that it can be mended', async () => {
  const [, , third = '', , , , , , ninth = ''] = WORDS
  expect(await slipOf(WORDS.with(2, 'zoo'))).toBe(`when word 3 is "${third}"`)
  expect(await slipOf(WORDS.with(2, 'notaword'))).toBe(`when word 3 is "${third}"`)
  expect(await slipOf(WORDS.with(2, ninth).with(8, third))).toBe('when words 3 and 9 change places')
  expect(await slipOf(WORDS.toSpliced(8, 1))).toBe(`when "${ninth}" is put in as word 9`)
  expect(await slipOf(WORDS.toSpliced(8, 0, 'zoo'))).toBe('without word 9')
  expect(await slipOf(WORDS.toSpliced(8, 0, 'notaword'))).toBe('without word 9')
  expect(await slipOf(WORDS)).toBeUndefined()
})

test('also where the wrong phrase adds up, and not where two words are wrong', async () => {
  const other = Uint8Array.from(MASTER)
  // Words 1 and 24 are others: no single slip.
  other[0] = (other[0] ?? 0) ^ 0xff
  expect(await slipOf(phraseFromMaster(other).split(' '))).toBeUndefined()
  const adding = [...Array(2048).keys()]
    .map((i) => WORDS.with(4, phraseFromMaster(new Uint8Array(32).fill(i & 255)).split(' ')[i % 20] ?? ''))
    .find((words) => words[4] !== WORDS[4] && doesAddUp(words))
  if (!adding) throw new Error('no such phrase')
  expect(await slipOf(adding)).toBe(`when word 5 is "${WORDS[4]}"`)
  for (const words of [[], ['x', 'y'], WORDS.slice(0, 20), WORDS.with(0, 'nota').with(1, 'word')])
    expect(await slipOf(words)).toBeUndefined()
})

function doesAddUp(words: readonly string[]): boolean {
  try {
    masterFromPhrase(words.join(' '))
    return true
  } catch {
    return false
  }
}
