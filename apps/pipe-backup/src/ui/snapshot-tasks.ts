import { isAbsolute, resolve } from 'node:path'
import type { CliContext } from '../cli-context.ts'
import { type RestoreGauge, sizeOf, toDirectory } from '../commands/restore.ts'
import { drill } from '../commands/verify-drill.ts'
import { errorLine } from '../terminal/error-line.ts'
import { UsageError } from '../usage-error.ts'
import { type Reading, readingOf } from '../vault/open-reading.ts'
import { requireEmptyDirectory } from './empty-directory.ts'
import type { Keyring } from './keyring.ts'
import type { Work } from './tasks.ts'

/** What is to be restored, and where. */
export interface RestoreOrder {
  /** Its id. */
  readonly snapshot: string
  /** Of an entry, with all below it; without it all. */
  readonly path?: Uint8Array | undefined
  /** A directory of this machine, from the root on: new, or empty. */
  readonly to: string
}

/**
 * A restore with the keys that are open, as `restore --to` does it, but into a directory that is new or empty: nothing is overwritten from the page.
 * @throws LockedError; VaultError `not-found`; UsageError for what is no directory from the root on; as `requireEmptyDirectory`
 */
export async function restoreWork(keyring: Keyring, { snapshot, path, to }: RestoreOrder): Promise<Work> {
  // Where the command was started is nothing that the page shows: a relative path would be a surprise.
  if (!isAbsolute(to) || to.includes('\0'))
    throw new UsageError(
      `${JSON.stringify(to)} is no directory from the root on`,
      'Give all of its path, such as /tmp/restored.',
    )
  const directory = resolve(to)
  await keyring.snapshot(snapshot)
  await requireEmptyDirectory(directory)
  const paths = path && [path]
  return async (cli) =>
    await withReading(keyring, snapshot, paths, cli, async (opened, own) => {
      const gauge: RestoreGauge = { entries: 0, bytes: 0, totalBytes: sizeOf(paths, opened.snapshot) }
      const entries = opened.reader.entries(paths, undefined, { parents: paths !== undefined })
      // Whatever somebody puts there meanwhile stays.
      const exitCode = await toDirectory(entries, directory, 'never', { opened, gauge, cli: own })
      return exitCode === 0 ? opened.exitCode : exitCode
    })
}

/** A drill with the keys that are open, as `verify --drill`. @throws LockedError; VaultError `not-found` */
export async function drillWork(keyring: Keyring, snapshot: string): Promise<Work> {
  await keyring.snapshot(snapshot)
  return async (cli) => await withReading(keyring, snapshot, undefined, cli, drill)
}

/** Reads a snapshot for as long as the vault is not closed. */
async function withReading(
  keyring: Keyring,
  id: string,
  paths: readonly Uint8Array[] | undefined,
  cli: CliContext,
  work: (opened: Reading, cli: CliContext) => Promise<number>,
): Promise<number> {
  const snapshots = await keyring.all()
  using vault = keyring.use()
  const own = { ...cli, signal: AbortSignal.any([cli.signal, vault.signal]) }
  const onProblem = (error: Error): void => cli.output.warn(errorLine(error))
  await using opened = await readingOf({ ...vault, snapshots, onProblem }, own, id, paths)
  return await work(opened, own)
}
