import { open } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Readable } from 'node:stream'
import { hide } from '../secrets/redact.ts'
import { UsageError } from '../usage-error.ts'

/** Far more than 24 words need: a mistaken path is no phrase. */
const MAX_PHRASE_BYTES = 4096

export interface PhraseInput {
  /** From --phrase-file: a path, or `-` for standard input. */
  readonly file: string | undefined
  /** What PIPE_BACKUP_PHRASE held: see `takePhraseVariable`. */
  readonly variable: string | undefined
  readonly cwd: string
  readonly stdin: Readable
  /** Asks on a terminal; `undefined` where there is none. */
  readonly ask: (() => Promise<string>) | undefined
  readonly warn: (message: string) => void
}

/** A recovery phrase as somebody has kept it. */
export interface KeptPhrase {
  /** Lower case, one blank between them; not yet checked. */
  readonly words: string
  /** The id of the vault that it is for, where a line below the words says so: `vault 3b6a…`. 32 hex digits. */
  readonly vaultId: string | undefined
}

/**
 * Reads the recovery phrase: `--phrase-file`, PIPE_BACKUP_PHRASE, or a hidden prompt.
 * @throws UsageError when there is none to be had
 */
export async function readPhrase(input: PhraseInput): Promise<KeptPhrase> {
  const { file, variable } = input
  const text = file !== undefined ? await readPhraseFile(file, input) : (variable ?? (await input.ask?.()))
  if (text === undefined) {
    throw new UsageError(
      'needs the recovery phrase, and there is no terminal to ask on',
      'Give --phrase-file FILE (- is standard input), or set PIPE_BACKUP_PHRASE.',
    )
  }
  const vaultId = VAULT_LINE.exec(text)?.[1]?.toLowerCase()
  const words = wordsOf(text)
  if (words === '') throw new UsageError('the recovery phrase is empty')
  hide(words)
  return { words, vaultId }
}

const VAULT_LINE = /^\s*vault:?\s+([0-9a-f]{32})\s*$/im

/** The line that says which vault a recipient's phrase is for. */
export function vaultLine(vaultId: string): string {
  return `vault ${vaultId}\n`
}

/** The words of a phrase as somebody has kept it, without the line of its vault. */
export function wordsOf(text: string): string {
  return normalisePhrase(text.replace(VAULT_LINE, ''))
}

/** The words alone, however they were written down: in lines, numbered, with capitals, with commas. */
export function normalisePhrase(text: string): string {
  return text
    .normalize('NFKD')
    .toLowerCase()
    .replaceAll(/[^a-z]+/g, ' ')
    .trim()
}

async function readPhraseFile(file: string, { cwd, stdin, warn }: PhraseInput): Promise<string> {
  if (file === '-') return await readAll(stdin)
  const path = resolve(cwd, file)
  try {
    await using handle = await open(path)
    const { mode } = await handle.stat()
    if ((mode & 0o077) !== 0)
      warn(`${path} holds the recovery phrase and others can read it: chmod 600 ${path}`)
    return await readAll(handle.createReadStream({ autoClose: false }))
  } catch (cause) {
    if (cause instanceof UsageError) throw cause
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause)
    throw new UsageError(`the phrase file can't be read: ${path}: ${code}`)
  }
}

async function readAll(stream: Readable): Promise<string> {
  const pieces: Uint8Array[] = []
  let length = 0
  for await (const piece of stream as AsyncIterable<Uint8Array>) {
    pieces.push(piece)
    length += piece.length
    if (length > MAX_PHRASE_BYTES) throw new UsageError('the phrase file is too large to hold 24 words')
  }
  return Buffer.concat(pieces).toString('utf8')
}
