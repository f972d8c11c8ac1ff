import { type Readable, Transform } from 'node:stream'
import { ArchiveEntries } from '@pipe-backup/archive'
import type { SourceProblem } from '@pipe-backup/source'
import { packTar } from '@pipe-backup/tar'
import type { VaultHost } from '@pipe-backup/vault'
import type { CliContext } from '../cli-context.ts'
import { CommandError } from '../command-error.ts'
import type { LoadedConfig } from '../config/load-config.ts'
import { ownDirectories, type SourceSurroundings, sourceMemory } from '../providers/source-surroundings.ts'
import { chooseSources } from '../run/choose-sources.ts'
import type { Hooks } from '../run/hooks.ts'
import type { SecretReader } from '../secrets/read-secret.ts'
import type { RunProgress } from '../terminal/progress-lines.ts'

interface Surroundings {
  readonly host: VaultHost
  readonly hooks: Hooks
  /** Kept up to date. */
  readonly progress: RunProgress
  readonly onNote: SourceSurroundings['onNote']
  readonly onProblem: (problem: SourceProblem & { readonly source: string }) => void
}

/** What is to be in an archive, and what is known of its sources: none for what is piped in. */
export interface ArchiveContent {
  readonly content: AsyncIterable<Uint8Array>
  readonly tallies: ArchiveEntries['tallies']
}

/** The configured sources as a tar, or what is piped in, as it is. @throws UsageError */
export async function archiveContent(
  config: LoadedConfig,
  secrets: SecretReader,
  cli: CliContext,
  { source: names, stdin }: { readonly source: readonly string[]; readonly stdin?: string | undefined },
  { host, hooks, progress, onNote, onProblem }: Surroundings,
): Promise<ArchiveContent> {
  const { output, signal } = cli
  const onRead = (bytes: number): void => {
    progress.bytesRead += bytes
  }
  progress.phase = 'reading'
  if (stdin !== undefined) return { content: pipedIn(process.stdin, onRead), tallies: [] }
  const sources = await chooseSources(config, secrets, cli, names, {
    leaveOut: ownDirectories(config),
    // What a run has seen last is asked for, and left as it is.
    memoryOf: (name) => ({
      read: () => sourceMemory(config.state, host.vaultId, name, output).read(),
      write: async () => undefined,
    }),
    onNote,
  })
  const entries = new ArchiveEntries(sources, {
    signal,
    onProblem,
    onRead,
    onEntry: (source) => {
      progress.source = source
      progress.entries++
    },
    beforeSource: (name) => hooks.beforeSource(name),
    afterSource: (tally) => hooks.afterSource(tally),
  })
  const content = packTar(entries, { signal, onProblem: (problem) => entries.report(problem) })
  return { content, tallies: entries.tallies }
}

/** Fails with CommandError `nothing-piped` when nothing comes. */
function pipedIn(stdin: Readable, onRead: (bytes: number) => void): Readable {
  let bytes = 0
  const counted = new Transform({
    transform(piece: Uint8Array, _encoding, done) {
      bytes += piece.length
      onRead(piece.length)
      done(null, piece)
    },
    flush: (done) => done(bytes === 0 ? nothingPiped() : null),
  })
  stdin.on('error', (error) => counted.destroy(error))
  return stdin.pipe(counted)
}

function nothingPiped(): CommandError {
  return new CommandError(
    'nothing-piped',
    'nothing came in on standard input',
    'The program before the pipe has failed, most likely.',
  )
}
