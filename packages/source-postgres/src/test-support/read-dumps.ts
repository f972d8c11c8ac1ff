import { SourceError, type SourceProblem } from '@pipe-backup/source'
import { type PostgresOptions, postgres } from '../postgres-source.ts'

export interface Dumped {
  readonly dumps: ReadonlyMap<string, Buffer>
  readonly problems: readonly SourceProblem[]
}

/** As a backup takes it: an entry that is `unreadable` is left out, and named. @param during - called with the bytes read so far */
export async function readDumps(options: PostgresOptions, during?: (read: number) => void): Promise<Dumped> {
  const dumps = new Map<string, Buffer>()
  const problems: SourceProblem[] = []
  for await (const entry of postgres(options, { onProblem: (problem) => problems.push(problem) })) {
    if (entry.type !== 'file') throw new Error('not a file')
    const path = Buffer.from(entry.path).toString()
    const pieces: Buffer[] = []
    try {
      const reader = await entry.open()
      try {
        for (let total = 0; ; ) {
          const piece = Buffer.alloc(65_536)
          const got = await reader.read(piece)
          if (got === 0) break
          pieces.push(piece.subarray(0, got))
          total += got
          during?.(total)
        }
        await reader.finish()
        dumps.set(path, Buffer.concat(pieces))
      } finally {
        await reader.close()
      }
    } catch (error) {
      if (!(error instanceof SourceError) || error.code !== 'unreadable') throw error
      problems.push({ code: error.code, path, message: error.message })
    }
  }
  return { dumps, problems }
}
