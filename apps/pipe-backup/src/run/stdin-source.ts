import type { Readable } from 'node:stream'
import { type EntryReader, type Source, SourceError } from '@pipe-backup/source'
import { UsageError } from '../usage-error.ts'

/**
 * What is piped in, as a source of one file.
 *
 * A pipe does not show whether the program before it ended well: `set -o pipefail`, or a source of type `command`, does.
 * An input without a single byte is taken for a program that failed.
 * @param target - `database/x.sql`: the source's name, then the file's path below it
 * @throws UsageError for a target that can't be meant
 */
export function stdinSource(target: string, stdin: Readable, now: () => Date): Source {
  const [name = '', ...components] = target.split('/')
  const bad =
    components.length === 0 || components.some((part) => part === '' || part === '.' || part === '..')
  if (bad || !/^[a-z0-9][a-z0-9._-]*$/.test(name) || target.includes('\0')) {
    throw new UsageError(
      `--stdin ${JSON.stringify(target)}: not a source's name, a slash and a path`,
      'For example: --stdin database/shop.sql',
    )
  }
  const path = components.join('/')
  let opened = false
  const open = (): EntryReader => {
    if (opened) throw new SourceError('unreadable', 'standard input can be read only once', { path })
    opened = true
    return readOnce(stdin, path, now)
  }
  return {
    name,
    once: true,
    async *entries() {
      const mtimeNs = toNanoseconds(now())
      const uid = process.getuid?.() ?? 0
      const gid = process.getgid?.() ?? 0
      const owner = { mode: 0o600, uid, gid, user: '', group: '' }
      yield { type: 'file', path: Buffer.from(path), ...owner, mtimeNs, size: undefined, open }
    },
  }
}

function readOnce(stdin: Readable, path: string, now: () => Date): EntryReader {
  const pieces = (stdin as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]()
  let rest: Uint8Array = new Uint8Array(0)
  let total = 0
  return {
    async read(into) {
      while (rest.length === 0) {
        const next = await pieces.next()
        if (next.done === true) return 0
        rest = next.value
      }
      const piece = rest.subarray(0, into.length)
      into.set(piece)
      rest = rest.subarray(piece.length)
      total += piece.length
      return piece.length
    },
    finish() {
      if (total === 0) {
        throw new SourceError('truncated', 'nothing came in on standard input', {
          path,
          hint: 'The program before the pipe has failed, most likely.',
        })
      }
      return { steady: true, mtimeNs: toNanoseconds(now()) }
    },
    async close() {
      await pieces.return?.()
    },
  }
}

function toNanoseconds(time: Date): bigint {
  return BigInt(time.getTime()) * 1_000_000n
}
