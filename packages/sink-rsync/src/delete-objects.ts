import { SinkError } from '@pipe-backup/sink'
import { type Watch, whatIsThere } from './listing.ts'
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
  watch: Watch,
): Promise<ReadonlyMap<string, SinkError>> {
  const failed = new Map<string, SinkError>()
  for (let at = 0; at < keys.length; at += KEYS_AT_ONCE) {
    const some = keys.slice(at, at + KEYS_AT_ONCE)
    for (const [key, error] of await deleteSome(server, spool, some, watch)) failed.set(key, error)
  }
  return failed
}

async function deleteSome(
  server: RsyncServer,
  spool: MemorySpool,
  keys: readonly string[],
  watch: Watch,
): Promise<ReadonlyMap<string, SinkError>> {
  const rules = rulesFor(keys)
  const deleted = new Set<string>()
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
      onLine: (line) => {
        const [, key] = /^\*deleting +(.*)$/.exec(line) ?? []
        if (key !== undefined) deleted.add(key)
      },
      ...watch,
    })
    return new Map()
  } catch (cause) {
    watch.signal?.throwIfAborted()
    const left = keys.filter((key) => !deleted.has(key))
    return explained(await stillThere(server, left, watch), cause, spool.sink)
  } finally {
    await spool.remove(empty)
  }
}

/** Whole names from the root: `/packs/`, `/packs/ab/`, `/packs/ab/abcd`. */
function rulesFor(keys: readonly string[]): string[] {
  const rules = new Set<string>()
  for (const key of keys) {
    for (let at = key.indexOf('/'); at >= 0; at = key.indexOf('/', at + 1))
      rules.add(`/${key.slice(0, at + 1)}`)
    rules.add(`/${key}`)
  }
  return [...rules]
}

/** Where it can't be asked, none is known to be gone. */
async function stillThere(
  server: RsyncServer,
  keys: readonly string[],
  watch: Watch,
): Promise<readonly string[]> {
  try {
    const there = await whatIsThere(server, keys, watch)
    return keys.filter((key) => there.has(key))
  } catch {
    watch.signal?.throwIfAborted()
    return keys
  }
}

function explained(keys: readonly string[], cause: unknown, sink: string): Map<string, SinkError> {
  const errors = new Map<string, SinkError>()
  for (const key of keys) {
    const error = toSinkError(cause, sink, key)
    if (!(error instanceof SinkError)) throw error
    errors.set(key, error)
  }
  return errors
}
