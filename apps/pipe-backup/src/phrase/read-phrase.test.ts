import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { takePhraseVariable } from './phrase-variable.ts'
import { type PhraseInput, readPhrase } from './read-phrase.ts'

const WORDS = `${'abandon '.repeat(23)}art`

let directory: string
let warnings: string[]

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'pipe-backup-phrase-'))
  warnings = []
})

afterEach(async () => await rm(directory, { recursive: true }))

function input(more: Partial<PhraseInput>): PhraseInput {
  const warn = (message: string): void => void warnings.push(message)
  return {
    file: undefined,
    variable: undefined,
    cwd: directory,
    stdin: Readable.from([]),
    ask: undefined,
    warn,
    ...more,
  }
}

test('the file goes before the variable, and the variable before the question', async () => {
  await writeFile(join(directory, 'p'), 'from file\n', { mode: 0o600 })
  const all = { variable: 'from variable', ask: () => Promise.resolve('from question') }
  expect((await readPhrase(input({ ...all, file: 'p' }))).words).toBe('from file')
  expect((await readPhrase(input(all))).words).toBe('from variable')
  expect((await readPhrase(input({ ask: all.ask }))).words).toBe('from question')
})

test('- is standard input', async () => {
  const stdin = Readable.from([Buffer.from('piped '), Buffer.from('words\n')])
  expect((await readPhrase(input({ file: '-', stdin }))).words).toBe('piped words')
})

test('with nowhere to get it from it is refused as a matter of usage', async () => {
  await expect(readPhrase(input({}))).rejects.toMatchObject({
    code: 'usage',
    message: expect.stringContaining('needs the recovery phrase'),
  })
})

test('numbers, lines, capitals and commas around the words do not matter', async () => {
  const grid = WORDS.split(' ').map(
    (word, i) => `${i + 1}. ${word.toUpperCase()},${i % 4 === 3 ? '\r\n' : '\t'}`,
  )
  expect((await readPhrase(input({ variable: grid.join('') }))).words).toBe(WORDS)
})

test('an empty phrase is refused', async () => {
  await expect(readPhrase(input({ variable: ' 1. \n' }))).rejects.toMatchObject({ code: 'usage' })
})

test('a file that others can read is read, with a warning that does not quote it', async () => {
  await writeFile(join(directory, 'p'), WORDS, { mode: 0o644 })
  expect((await readPhrase(input({ file: 'p' }))).words).toBe(WORDS)
  expect(warnings).toEqual([expect.stringContaining('chmod 600')])
  expect(warnings.join()).not.toContain('abandon')
})

test('a file that is not there is named', async () => {
  await expect(readPhrase(input({ file: 'p' }))).rejects.toMatchObject({
    code: 'usage',
    message: `the phrase file can't be read: ${join(directory, 'p')}: ENOENT`,
  })
})

test('a file far too large for 24 words is refused', async () => {
  await writeFile(join(directory, 'p'), 'word '.repeat(10_000), { mode: 0o600 })
  await expect(readPhrase(input({ file: 'p' }))).rejects.toMatchObject({ code: 'usage' })
})

test('the variable is taken out of the environment', () => {
  const env = { PIPE_BACKUP_PHRASE: WORDS, OTHER: 'x' }
  expect(takePhraseVariable(env)).toBe(WORDS)
  expect(env).toEqual({ OTHER: 'x' })
  expect(takePhraseVariable({ PIPE_BACKUP_PHRASE: '' })).toBeUndefined()
})

test('a line that names the vault is no part of the words', async () => {
  const vaultId = '3b6a27bcceb6a42d62a3a8d02a6f0d73'
  for (const text of [`${WORDS}\nvault ${vaultId}\n`, `Vault: ${vaultId.toUpperCase()}\n${WORDS}`])
    expect(await readPhrase(input({ variable: text }))).toEqual({ words: WORDS, vaultId })
  expect(await readPhrase(input({ variable: WORDS }))).toEqual({ words: WORDS, vaultId: undefined })
})
