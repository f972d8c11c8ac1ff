import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Entry, Reading, SourceProblem } from '@pipe-backup/source'
import { type FilesOptions, files } from '../files.ts'

export interface Walked {
  /** By their paths below the tree's root, one character for each byte; the root itself is the empty one. */
  readonly entries: ReadonlyMap<string, Entry>
  readonly names: readonly string[]
  readonly problems: readonly SourceProblem[]
}

/** A directory of its own, and what a walk finds in it. */
export class TestTree implements Disposable {
  readonly root: string = mkdtempSync(join(tmpdir(), 'source-files-'))

  at(...parts: readonly string[]): string {
    return join(this.root, ...parts)
  }

  /** @param each - awaited for every entry before the walk goes on, with its path below the root */
  async walk(
    options: FilesOptions = {},
    paths: readonly string[] = [this.root],
    each: (entry: Entry, name: string) => unknown = () => undefined,
  ): Promise<Walked> {
    const entries = new Map<string, Entry>()
    const problems: SourceProblem[] = []
    for await (const entry of files(paths, { onProblem: (problem) => problems.push(problem), ...options })) {
      const name = Buffer.from(entry.path)
        .toString('latin1')
        .slice(this.root.length - 1)
      entries.set(name, entry)
      await each(entry, name)
    }
    return { entries, problems, names: [...entries.keys()].filter((name) => name !== '') }
  }

  [Symbol.dispose](): void {
    rmSync(this.root, { recursive: true, force: true })
  }
}

/** @throws when it is no file, and what the reader throws */
export async function readEntry(entry: Entry | undefined): Promise<{ bytes: Buffer; end: Reading }> {
  if (entry?.type !== 'file') throw new Error('not a file')
  const reader = await entry.open()
  try {
    const pieces: Buffer[] = []
    const piece = Buffer.alloc(70_000)
    for (let got = await reader.read(piece); got > 0; got = await reader.read(piece))
      pieces.push(Buffer.from(piece.subarray(0, got)))
    return { bytes: Buffer.concat(pieces), end: await reader.finish() }
  } finally {
    await reader.close()
  }
}
