import { diffSnapshots, type SnapshotInfo, selectSnapshot } from '@pipe-backup/vault'
import type { CliContext } from '../cli-context.ts'
import { DiffTotals, differenceLine, differenceToJson } from '../find/difference-lines.ts'
import { batchLines } from '../terminal/batch-lines.ts'
import { openSnapshots, reportSnapshot } from '../vault/open-reading.ts'

/** `diff`: what another snapshot has otherwise. @returns the exit code */
export async function diff(
  cli: CliContext,
  first: string,
  second: string,
  options: { readonly tag?: readonly string[] | undefined; readonly phraseFile?: string | undefined },
): Promise<number> {
  const { output, signal } = cli
  await using opened = await openSnapshots(cli, options.phraseFile, options.tag)
  const { sinks, keys, snapshots, onProblem } = opened
  const [before, after] = [selectSnapshot(snapshots, first), selectSnapshot(snapshots, second)]
  for (const snapshot of new Set([before, after])) reportSnapshot(cli, snapshot)
  warnOfLone(cli, before, after, 'removed')
  warnOfLone(cli, after, before, 'added')
  const totals = new DiffTotals()
  async function* lines(): AsyncGenerator<string> {
    for await (const one of diffSnapshots({ sinks, keys, before, after, signal, onProblem })) {
      totals.add(one)
      yield output.json ? JSON.stringify(differenceToJson(one)) : differenceLine(one)
    }
    if (output.json) yield JSON.stringify({ before: before.id, after: after.id, summary: totals })
  }
  await output.stream(batchLines(lines()), signal)
  output.print(totals.toString())
  return 0
}

/** A run of some sources alone makes a snapshot without the others: that nobody removed anything is to be seen. */
function warnOfLone({ output }: CliContext, one: SnapshotInfo, other: SnapshotInfo, shownAs: string): void {
  const names = new Set(other.sources.map(({ name }) => name))
  for (const { name } of one.sources) {
    if (names.has(name)) continue
    output.warn(`snapshot ${other.id} is without source "${name}": all of it is shown as ${shownAs}`)
  }
}
