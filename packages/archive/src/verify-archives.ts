import { finished } from 'node:stream/promises'
import type { KeyPair, ObjectKeys } from '@pipe-backup/crypto'
import { type Sink, toError } from '@pipe-backup/sink'
import { ArchiveError } from './archive-error.ts'
import { archiveKey, sumKey } from './archive-key.ts'
import { isSumIntact } from './archive-sum.ts'
import { provenBytes } from './copy-archive.ts'
import { type ArchiveInfo, type ArchiveList, listArchives } from './list-archives.ts'
import { receiveArchive } from './receive-archive.ts'

export interface VerifyArchivesOptions {
  /** All that are configured: what one shows the others must hold. */
  readonly sinks: readonly Sink[]
  /** Names of those to be verified. Default all. */
  readonly targets?: readonly string[] | undefined
  readonly keys: ObjectKeys
  /** The phrase's keys: every archive is decrypted, too. */
  readonly identity?: KeyPair | undefined
  /** Whether an archive of this sink is read this time; all are looked for. Default all. */
  readonly isDue?: ((sink: string, index: number, count: number) => boolean) | undefined
  /** Whether a sink has to have it. Default all. */
  readonly isWanted?: ((archives: readonly ArchiveInfo[]) => ReadonlySet<string>) | undefined
  readonly signal?: AbortSignal | undefined
  readonly onRead?: ((bytes: number) => void) | undefined
}

export interface ArchiveProblem {
  readonly key: string
  readonly id: string
  readonly code: 'missing' | 'corrupt'
  readonly message: string
}

export interface VerifiedArchives {
  readonly name: string
  /** How many it holds. */
  readonly archives: number
  readonly bytesRead: number
  readonly problems: readonly ArchiveProblem[]
  readonly error?: Error | undefined
}

export interface VerifyArchivesReport {
  readonly sinks: readonly VerifiedArchives[]
  /** Ids of the archives that are, as far as is known now, intact on no sink. */
  readonly lost: readonly string[]
  readonly archives: number
}

/** Proves the archives on sinks: there, of the right length, the right bytes. @throws the abort's reason */
export async function verifyArchives(options: VerifyArchivesOptions): Promise<VerifyArchivesReport> {
  const { sinks, targets, keys, signal } = options
  const list = await listArchives({ sinks, keys, signal })
  const wanted = options.isWanted?.(list.archives) ?? new Set(list.archives.map(({ id }) => id))
  const chosen = sinks.filter(({ name }) => targets?.includes(name) ?? true)
  const verified = await Promise.all(chosen.map((sink) => verifySink(sink, list, wanted, options)))
  signal?.throwIfAborted()
  const lost = list.archives.filter(({ id, holders }) => {
    const bad = (sink: Sink) =>
      verified.some(
        ({ name, problems }) => name === sink.name && problems.some(({ key }) => key === archiveKey(id)),
      )
    return wanted.has(id) && holders.every(bad)
  })
  return { sinks: verified, lost: lost.map(({ id }) => id), archives: list.archives.length }
}

async function verifySink(
  sink: Sink,
  list: ArchiveList,
  wanted: ReadonlySet<string>,
  options: VerifyArchivesOptions,
): Promise<VerifiedArchives> {
  const { isDue, keys, signal } = options
  const { name } = sink
  const problems: ArchiveProblem[] = []
  let bytesRead = 0
  const report = (error?: Error): VerifiedArchives => {
    const archives = list.archives.filter(({ holders }) => holders.includes(sink)).length
    return { name, archives, bytesRead, problems, error }
  }
  const view = list.views.find((shown) => shown.sink === sink)
  if (!view) return report(list.failures.get(name))
  for (const [i, archive] of list.archives.entries()) {
    const { id } = archive
    const key = archiveKey(id)
    const add = (code: 'missing' | 'corrupt', at: string, message: string) =>
      problems.push({ key: at, id, code, message: `sink "${name}": ${at} ${message}` })
    const found = view.archives.get(id)
    if (!found) {
      if (wanted.has(id)) add('missing', key, 'is missing')
      continue
    }
    try {
      if (!view.sums.has(id)) add('missing', sumKey(id), 'is missing')
      else if (!(await isSumIntact(sink, id, keys, signal))) add('corrupt', sumKey(id), 'is damaged')
      if (found.sizeBytes !== archive.sizeBytes)
        add('corrupt', key, `has ${found.sizeBytes} bytes instead of ${archive.sizeBytes}`)
      else if (isDue?.(name, i, list.archives.length) ?? true)
        await prove(sink, archive, options, (bytes) => (bytesRead += bytes))
    } catch (error) {
      signal?.throwIfAborted()
      if (!(error instanceof ArchiveError)) return report(toError(error))
      add('corrupt', key, 'is damaged')
    }
  }
  return report()
}

/** @throws ArchiveError `corrupt`; SinkError */
async function prove(
  sink: Sink,
  archive: ArchiveInfo,
  { identity, signal, onRead }: VerifyArchivesOptions,
  count: (bytes: number) => void,
): Promise<void> {
  for await (const piece of provenBytes(sink, archive, signal)) {
    count(piece.length)
    onRead?.(piece.length)
  }
  if (!identity) return
  let why: Error | undefined
  const plain = receiveArchive({
    archive: { ...archive, holders: [sink] },
    identity,
    signal,
    onProblem: (_sink, error) => {
      why = error
    },
  })
  plain.resume()
  try {
    await finished(plain)
  } catch (error) {
    throw why ?? error
  }
}
