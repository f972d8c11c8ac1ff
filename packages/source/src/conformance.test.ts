import { describe, expect, test } from 'vitest'
import { promises } from './conformance/promises.ts'
import { describeSource } from './conformance.ts'
import type { Entry, EntryReader, FileEntry, Reading } from './entry.ts'
import type { ReadContext, Source } from './source.ts'

const CONTENT = Buffer.from('0123456789'.repeat(1_000))
const metadata = { mode: 0o644, uid: 0, gid: 0, user: 'root', group: 'root', mtimeNs: -5n }

function bytesReader(content: Uint8Array): EntryReader {
  let at = 0
  return {
    read(into) {
      const piece = content.subarray(at, at + into.length)
      into.set(piece)
      at += piece.length
      return piece.length
    },
    finish: () => ({ steady: true, mtimeNs: metadata.mtimeNs }),
    close() {},
  }
}

function file(path: string, more: Partial<FileEntry> = {}): FileEntry {
  const open = () => bytesReader(CONTENT)
  return { ...metadata, type: 'file', path: Buffer.from(path), size: CONTENT.length, open, ...more }
}

function directory(path: string): Entry {
  return { ...metadata, type: 'directory', path: Buffer.from(path) }
}

function link(path: string, linkTo: string): Entry {
  return { ...metadata, type: 'hardlink', path: Buffer.from(path), linkTo: Buffer.from(linkTo) }
}

/** A file whose readers differ from good ones. */
function readAs(change: (good: EntryReader) => Partial<EntryReader>): Entry[] {
  return [file('a', { open: () => withChange(bytesReader(CONTENT), change) })]
}

function withChange(good: EntryReader, change: (good: EntryReader) => Partial<EntryReader>): EntryReader {
  return { ...good, ...change(good) }
}

function source(entries: Iterable<Entry> | ((context: ReadContext) => Iterable<Entry>)): Source {
  return {
    name: 'memory',
    async *entries(context = {}) {
      for (const entry of typeof entries === 'function' ? entries(context) : entries) {
        context.signal?.throwIfAborted()
        yield entry
      }
    },
  }
}

const good = (): Source =>
  source([
    directory('d'),
    file('d/x'),
    link('d/y', 'd/x'),
    file('d.x'),
    file('empty', { size: 0, open: () => bytesReader(new Uint8Array()) }),
  ])

describeSource('in memory', { make: good })

const flawed: readonly (readonly [flaw: string, broken: string, make: () => Source])[] = [
  ['no name', 'it has a name, and a number of times to settle', () => ({ ...good(), name: '' })],
  ['half a settling', 'it has a name, and a number of times to settle', () => ({ ...good(), settle: 0.5 })],
  ['nothing to read', 'bytes are the same one at a time', () => source([directory('d')])],
  [
    'siblings sorted as whole strings',
    'entries come in walk order, each path once',
    () => source([directory('d'), file('d.x'), file('d/x')]),
  ],
  ['a path twice', 'entries come in walk order, each path once', () => source([file('a'), file('a')])],
  ['an absolute path', 'paths are relative and normal', () => source([file('/etc/passwd')])],
  ['a path that climbs', 'paths are relative and normal', () => source([file('a/../../b')])],
  ['a trailing slash', 'paths are relative and normal', () => source([directory('a/')])],
  ['a NUL in a path', 'paths are relative and normal', () => source([file('a\0b')])],
  ['a file in a file', 'what an entry is in is a directory', () => source([file('a'), file('a/b')])],
  ['the type in the mode', 'metadata is of its form', () => source([file('a', { mode: 0o100644 })])],
  ['a negative owner', 'metadata is of its form', () => source([file('a', { uid: -1 })])],
  [
    'an empty target',
    'metadata is of its form',
    () => source([{ ...metadata, type: 'symlink', path: Buffer.from('a'), target: Buffer.alloc(0) }]),
  ],
  ['a size that is no count', 'metadata is of its form', () => source([file('a', { size: -1 })])],
  [
    'a link to what comes later',
    'a hard link names a file that came earlier',
    () => source([link('a', 'b'), file('b')]),
  ],
  [
    'one reading only',
    'it can be read again, and gives the same entries',
    () => source([file('a')].values()),
  ],
  [
    'one reading only, left early',
    'a reading that is left early does not hinder the next',
    () => source([file('a')].values()),
  ],
  ['a size that is too small', 'a file is as long as its entry says', () => source([file('a', { size: 1 })])],
  [
    'unsteady for no reason',
    'a file that stays as it is reads as steady',
    () => source(readAs(() => ({ finish: (): Reading => ({ steady: false, mtimeNs: 0n }) }))),
  ],
  [
    'one opening only',
    'a file opened again gives the same bytes from its start',
    () => {
      const reader = bytesReader(CONTENT)
      return source([file('a', { open: () => reader })])
    },
  ],
  [
    'a byte lost with little room',
    'bytes are the same one at a time',
    () =>
      source(
        readAs((reader) => ({
          read: (into) => (into.length === 1 && reader.read(into) === 0 ? 0 : reader.read(into)),
        })),
      ),
  ],
  [
    'bytes behind what it gave',
    'read() fills from the start, and touches nothing behind what it gave',
    () =>
      source(
        readAs((reader) => ({
          read: (into) => {
            into.fill(0)
            return reader.read(into)
          },
        })),
      ),
  ],
  [
    'a buffer of the caller kept',
    'read() keeps nothing of the memory it was lent',
    () =>
      source(
        readAs((reader) => {
          let last: Uint8Array | undefined
          return {
            read: async (into) => {
              const got = await reader.read(into)
              if (last && got > 0) into[0] = last[0] ?? 0
              last = into
              return got
            },
          }
        }),
      ),
  ],
  [
    'no end after the end',
    'at the end read() gives 0, however often it is asked',
    () =>
      source(
        readAs((reader) => {
          let ended = false
          return {
            read: async (into) => {
              if (ended) return 1
              const got = await reader.read(into)
              ended = got === 0
              return got
            },
          }
        }),
      ),
  ],
  [
    'a second close() that fails',
    'close() gives up at any time, twice, and after finish()',
    () =>
      source(
        readAs(() => {
          let closed = false
          return {
            close: () => {
              if (closed) throw new Error('closed already')
              closed = true
            },
          }
        }),
      ),
  ],
  [
    'deaf to a signal that has fired',
    'a signal that has fired stops it before the first entry, with its reason',
    () => deaf(),
  ],
  ['deaf to a signal', 'a signal that fires after an entry stops it there, with its reason', () => deaf()],
]

function deaf(): Source {
  const hearing = good()
  return { ...hearing, entries: () => hearing.entries() }
}

describe('a source that breaks a promise is found out', () => {
  test.for(flawed)('%s: "%s"', async ([, broken, make]) => {
    await expect(promises[broken]?.(make)).rejects.toThrow(/./s)
  })

  test('and each promise has a source here that breaks it', () => {
    const broken = new Set(flawed.map(([, title]) => title))
    expect(Object.keys(promises).filter((title) => !broken.has(title))).toEqual([])
  })
})
