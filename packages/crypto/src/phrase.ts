import { randomBytes } from 'node:crypto'
import { entropyToMnemonic, mnemonicToEntropy } from '@scure/bip39'
import { wordlist } from '@scure/bip39/wordlists/english.js'
import { CryptoError } from './crypto-error.ts'

const WORDS = 24
const MASTER_BYTES = 32

/** A new recovery phrase: 24 words of BIP39's English list, 256 random bits and 8 of checksum. */
export function generatePhrase(): string {
  return phraseFromMaster(Uint8Array.from(randomBytes(MASTER_BYTES)))
}

/** The phrase that stands for a master secret of 32 bytes. */
export function phraseFromMaster(master: Uint8Array): string {
  return entropyToMnemonic(master, wordlist)
}

/**
 * The master secret that a phrase stands for: 32 bytes. White space and case don't matter.
 * @throws CryptoError `bad-phrase`, naming the word that is in no list by its position, or saying that the checksum fails
 * @see https://github.com/bitcoin/bips/blob/master/bip-0039.mediawiki
 */
export function masterFromPhrase(phrase: string): Uint8Array {
  const words = phrase.normalize('NFKD').trim().toLowerCase().split(/\s+/)
  if (words.length !== WORDS) {
    const count = words.length > 1 ? `${words.length} words` : words[0] === '' ? 'no words' : '1 word'
    throw new CryptoError('bad-phrase', `a recovery phrase has ${WORDS} words, this has ${count}`)
  }
  const unknown = words.findIndex((word) => !wordlist.includes(word))
  if (unknown >= 0) {
    const near = nearest(words[unknown] ?? '')
    throw new CryptoError(
      'bad-phrase',
      `word ${unknown + 1} of the recovery phrase is not a word of the list`,
      {
        hint: near.length > 0 ? `Is it ${near.join(' or ')}?` : 'Check its spelling.',
      },
    )
  }
  try {
    return mnemonicToEntropy(words.join(' '), wordlist)
  } catch {
    throw new CryptoError('bad-phrase', 'the recovery phrase does not add up: its checksum is wrong', {
      hint: 'A word is another than it was, or two have changed places.',
    })
  }
}

/** BIP39's words differ in their first four letters: a slip is mostly further on, or in one of these. */
function nearest(word: string): string[] {
  const start = wordlist.filter((candidate) => candidate.startsWith(word.slice(0, 4)) && word.length >= 3)
  const found = start.length > 0 ? start : wordlist.filter((candidate) => oneSlipApart(word, candidate))
  return found.slice(0, 3)
}

function oneSlipApart(a: string, b: string): boolean {
  if (Math.abs(a.length - b.length) > 1) return false
  let start = 0
  while (start < a.length && a[start] === b[start]) start++
  const [restA, restB] = [a.slice(start), b.slice(start)]
  return restA.slice(1) === restB.slice(1) || restA.slice(1) === restB || restA === restB.slice(1)
}
