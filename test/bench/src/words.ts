import { pick, type Random, random } from './random.ts'

const SYLLABLES =
  'ba co de fi go hu in jo ka lo me no or pa qu re se ti un va we xi ya zo ter ing str map set get key val ent ion ble ly'
const COUNT = 12_000

export const WORDS: readonly string[] = makeWords()

function makeWords(): string[] {
  const next: Random = random('words', 'common')
  const syllables = SYLLABLES.split(' ')
  const words = new Set<string>()
  while (words.size < COUNT) {
    let word = ''
    for (let left = 2 + (next() % 4); left > 0; left--) word += pick(next, syllables)
    words.add(word)
  }
  return [...words]
}

export function capitalised(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1)
}
