import type { Overwrite, PreviewState } from '@pipe-backup/extract'
import type { Entry } from '@pipe-backup/source'
import type { CliContext } from '../cli-context.ts'
import { formatBytes, plural } from '../terminal/quantities.ts'

const SIGNS: Record<PreviewState, string> = { new: '+', changed: '~', same: '=', kept: '.', blocked: '!' }

/** Prints what a restore would do: a line for each entry that would be written or can't be, and the sum. @returns the exit code: 1 where something is in the way */
export async function showPreview(
  entries: AsyncIterable<Entry>,
  directory: string,
  overwrite: Overwrite,
  { output, options, signal }: CliContext,
): Promise<number> {
  const { preview } = await import('@pipe-backup/extract')
  const counts: Record<PreviewState, number> = { new: 0, changed: 0, same: 0, kept: 0, blocked: 0 }
  let bytes = 0
  for await (const { path, state, sizeBytes } of preview(entries, directory, { overwrite, signal })) {
    counts[state]++
    bytes += sizeBytes
    const name = Buffer.from(path).toString()
    if (state !== 'same' || options.verbose) output.print(`${SIGNS[state]} ${name}`)
    output.printJson({ path: name, state, sizeBytes })
  }
  output.print(
    `would write ${plural(counts.new + counts.changed, 'entry', 'entries')}, ${formatBytes(bytes)}, to ${directory}: ${counts.new} new (+), ${counts.changed} in place of others (~); ${counts.same} are there already${counts.kept === 0 ? '' : `, ${counts.kept} would be left as they are (.)`}`,
  )
  if (counts.blocked > 0)
    output.error(
      `${plural(counts.blocked, 'entry', 'entries')} could not be written (!): a directory or a link is in the way`,
    )
  return counts.blocked > 0 ? 1 : 0
}
