import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'

const HERE = join(import.meta.dirname, '..')
/** Inputs that are longer stay out of the repository. */
export const MAX_CORPUS_BYTES = 4096

/** The committed inputs of a target, in the order of their names. */
export function readCorpus(target: string): readonly Uint8Array[] {
  const directory = join(HERE, 'corpus', target)
  try {
    return readdirSync(directory)
      .sort()
      .map((name) => readFileSync(join(directory, name)))
  } catch {
    return []
  }
}

/** Replaces the committed inputs of a target, but for those of defects that were mended: whoever mends one calls its input so. */
export function writeCorpus(target: string, inputs: readonly Uint8Array[]): void {
  const directory = join(HERE, 'corpus', target)
  mkdirSync(directory, { recursive: true })
  for (const name of readdirSync(directory)) if (!name.startsWith('mended-')) rmSync(join(directory, name))
  for (const input of inputs) write(directory, input)
}

/** Keeps an input that shows a defect. @returns its path, from the current directory */
export function writeFinding(target: string, input: Uint8Array): string {
  return relative(process.cwd(), write(join(HERE, 'findings', target), input))
}

function write(directory: string, input: Uint8Array): string {
  mkdirSync(directory, { recursive: true })
  const file = join(directory, createHash('sha256').update(input).digest('hex').slice(0, 16))
  writeFileSync(file, input)
  return file
}
