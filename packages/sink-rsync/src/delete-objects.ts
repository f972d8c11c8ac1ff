import { SinkError } from '@pipe-backup/sink'
import { whatIsThere } from './listing.ts'
import type { MemorySpool } from './memory-spool.ts'
import { toSinkError } from './rsync-errors.ts'
import type { RsyncServer } from './rsync-server.ts'

/** For each file that it meets rsync goes through all rules. */
const KEYS_AT_ONCE = 1000

/**
 * Deletes objects, many with one rsync: an empty directory is sent, under rules by which nothing else may be missing from it. Directories
 * that become empty go too. (`--delete-missing-args` would say it in one word, and fails with servers that check what they are
 * sent: Debian's 3.2.7.)
 * @returns those that are still there, and why @throws the signal's reason
 */
export async function deleteObjects(
  server: RsyncServer,
  spool: MemorySpool,
  keys: readonly string[],
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<string, SinkError>> {
  const failed = new Map<string, SinkError>()
  for (let at = 0; at < keys.length; at += KEYS_AT_ONCE) {
    const left = new Set(keys.slice(at, at + KEYS_AT_ONCE))
    try {
      await deleteSome(server, spool, left, signal)
    } catch (cause) {
      signal?.throwIfAborted()
      // Where it can't be asked, none is known to be gone.
      const there = await whatIsThere(server, [...left], signal).catch(() => left)
      signal?.throwIfAborted()
      for (const key of left) {
        const error = toSinkError(cause, spool.sink, key)
        if (!(error instanceof SinkError)) throw error
        if (there.has(key)) failed.set(key, error)
      }
    }
  }
  return failed
}

/** @param keys - what is reported to be deleted is taken out of it */
async function deleteSome(
  server: RsyncServer,
  spool: MemorySpool,
  keys: Set<string>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const rules = rulesFor(keys)
  const empty = spool.newDirectory()
  try {
    await server.run({
      direction: 'push',
      local: `${empty}/`,
      options: [
        '--recursive',
        '--delete',
        // Whatever becomes of the rules, no more can go than they name.
        `--max-delete=${rules.length}`,
        '--include-from=-',
        '--exclude=*',
        '--out-format=%i %n',
      ],
      input: rules.map((rule) => `${rule}\0`).join(''),
      onLine: (line) => keys.delete(/^\*deleting +(.*)$/.exec(line)?.[1] ?? ''),
      signal,
    })
  } finally {
    await spool.remove(empty)
  }
}

/** Whole names from the root: `/packs/`, `/packs/ab/`, `/packs/ab/abcd`. */
function rulesFor(keys: Iterable<string>): string[] {
  const rules = new Set<string>()
  for (const key of keys) {
    for (let at = key.indexOf('/'); at >= 0; at = key.indexOf('/', at + 1))
      rules.add(`/${key.slice(0, at + 1)}`)
    rules.add(`/${key}`)
  }
  return [...rules]
}
