import type { CliContext } from '../cli-context.ts'
import { toSnapshotPath } from '../snapshot-path.ts'
import { batchLines } from '../terminal/batch-lines.ts'
import { entryToJson, longLine } from '../terminal/long-listing.ts'
import { openReading } from '../vault/open-reading.ts'

export interface ReadOptions {
  readonly phraseFile?: string | undefined
}

/** `ls`: the entries of a snapshot, or those at and below a path. @returns the exit code */
export async function ls(
  cli: CliContext,
  spec: string,
  path: string | undefined,
  options: ReadOptions,
): Promise<number> {
  const { output, signal } = cli
  const paths = path === undefined ? undefined : [toSnapshotPath(path)]
  await using opened = await openReading(cli, spec, options.phraseFile, paths)
  const { reader } = opened
  async function* lines(): AsyncGenerator<string> {
    for await (const entry of reader.entries(paths)) {
      yield output.json ? JSON.stringify(entryToJson(entry)) : longLine(entry)
    }
  }
  await output.stream(batchLines(lines()), signal)
  // What a source lacks has been said, and nothing rests on a list.
  return opened.isOutdated ? 3 : 0
}
