import { listSnapshots, type MarkChange, markSnapshot, selectSnapshot } from '@pipe-backup/vault'
import type { CliContext } from '../cli-context.ts'
import { loadHost } from '../host/load-host.ts'
import { checkTags } from '../mark/check-tags.ts'
import { openSinks } from '../providers/open-sinks.ts'
import { errorLine, sinkLine } from '../terminal/error-line.ts'
import { escapeText } from '../terminal/escape-bytes.ts'
import { UsageError } from '../usage-error.ts'
import { openConfig, openSecrets } from '../vault/open-config.ts'

/** `pin` and `unpin`: whether a prune may remove a snapshot. @returns the exit code */
export async function pin(
  cli: CliContext,
  snapshot: string,
  { remove = false }: MarkOptions,
): Promise<number> {
  return await mark(cli, snapshot, { pinned: !remove })
}

/** `tag` and `untag`. @returns the exit code @throws UsageError for what can be no tag */
export async function tag(
  cli: CliContext,
  snapshot: string,
  tags: readonly string[],
  { remove = false }: MarkOptions,
): Promise<number> {
  checkTags(tags)
  return await mark(cli, snapshot, remove ? { removeTags: tags } : { addTags: tags })
}

export interface MarkOptions {
  /** Takes it back. */
  readonly remove?: boolean | undefined
}

async function mark(cli: CliContext, spec: string, change: MarkChange): Promise<number> {
  const { output, signal, options } = cli
  if (options.from.length > 0)
    throw new UsageError('--from is for commands that read; a snapshot is marked on every sink')
  const config = await openConfig(cli)
  const host = await loadHost(config.hostKey)
  await using opened = await openSinks(config, { secrets: openSecrets(config, cli), signal })
  const { sinks } = opened
  const onProblem = (error: Error): void => output.warn(errorLine(error))
  const snapshot = selectSnapshot(await listSnapshots({ sinks, keys: host.keys, signal, onProblem }), spec)
  const report = await markSnapshot({
    host,
    sinks,
    snapshot,
    change,
    signal,
    onProblem: (sink, error) => output.warn(sinkLine(sink, errorLine(error))),
  })
  for (const { name, error } of report.sinks) if (error !== undefined) output.error(sinkLine(name, error))
  if (report.exitCode === 3)
    output.warn('not every sink has it: pipe-backup heal brings it to those that lack it')
  const { pinned, tags, isUnclear } = report.marks
  output.print(
    `${snapshot.id} ${report.isChanged ? 'is' : 'already is'} ${pinned ? 'pinned' : 'not pinned'}, ${tagsLine(tags)}${
      isUnclear
        ? '; a mark of it is damaged on every sink, and counts as a pin: pipe-backup verify names it'
        : ''
    }`,
  )
  output.printJson({ snapshot: snapshot.id, pinned, tags, ...report, marks: undefined })
  return report.exitCode
}

function tagsLine(tags: readonly string[]): string {
  return tags.length === 0 ? 'without tags' : `tagged ${tags.map(escapeText).join(', ')}`
}
