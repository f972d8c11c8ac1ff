import { Readable } from 'node:stream'
import type { Entry, FileEntry } from '@pipe-backup/source'
import { expect, test } from 'vitest'
import { stdinSource } from './stdin-source.ts'

const NOW = new Date('2026-11-23T10:00:00Z')

async function open(...pieces: readonly string[]): Promise<FileEntry> {
  const stdin = Readable.from(pieces.map((piece) => Buffer.from(piece)))
  const entries: Entry[] = []
  for await (const found of stdinSource('database/x.sql', stdin, () => NOW).entries()) entries.push(found)
  const [entry] = entries
  if (entries.length !== 1 || entry?.type !== 'file') throw new Error('not one file')
  return entry
}

test('the first component is the source, the rest the path of its only file', async () => {
  expect(stdinSource('database/a/b.sql', Readable.from([]), () => NOW).name).toBe('database')
  const entry = await open('x')
  expect(Buffer.from(entry.path).toString()).toBe('x.sql')
  expect(entry.mtimeNs).toBe(1_795_428_000_000_000_000n)
})

test.for([1, 3, 100])('all bytes arrive, read into %d bytes at a time', async (length) => {
  const reader = await (await open('one ', '', 'two ', 'three')).open()
  let text = ''
  for (;;) {
    const into = new Uint8Array(length)
    const count = await reader.read(into)
    if (count === 0) break
    text += Buffer.from(into.subarray(0, count)).toString()
  }
  expect(text).toBe('one two three')
  expect(await reader.finish()).toMatchObject({ steady: true })
})

test('an input without a byte is a program that failed', async () => {
  const reader = await (await open()).open()
  expect(await reader.read(new Uint8Array(8))).toBe(0)
  expect(() => reader.finish()).toThrow(expect.objectContaining({ code: 'truncated' }))
})

test('it can not be read twice', async () => {
  const entry = await open('x')
  await entry.open()
  expect(() => entry.open()).toThrow(expect.objectContaining({ code: 'unreadable' }))
})

test.for(['x.sql', 'database/', '/x', 'database//x', 'database/../x', 'Data base/x', 'database/./x', ''])(
  'the target %j is refused',
  (target) => {
    expect(() => stdinSource(target, Readable.from([]), () => NOW)).toThrow(
      expect.objectContaining({ code: 'usage' }),
    )
  },
)
