import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Extents } from '../format/extents.ts'
import { FileState, type KnownFile } from './file-state.ts'

const VAULT = 'ab'.repeat(16)
const KEY = Buffer.alloc(16, 'key')
const IDENTITY = { ctimeNs: 1_700_000_000_000_000_001n, inode: 42n }
let directory: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'pipe-backup-state-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

function extentsOf(...list: [fill: number, offset: number, length: number][]): Extents {
  const extents = new Extents()
  for (const [fill, offset, length] of list) extents.add(Buffer.alloc(32, fill), offset, length)
  return extents
}

function known(extents: Extents, attributes?: KnownFile['attributes']): KnownFile {
  return { extents, attributes }
}

function remember(key: Uint8Array = KEY, extents = extentsOf([1, 2, 3])): void {
  using state = new FileState(directory, VAULT)
  state.remember(key, 3, 5n, IDENTITY, known(extents))
  state.commit([])
}

function recall(vault = VAULT): Uint8Array | undefined {
  using state = new FileState(directory, vault)
  const found = state.unchanged(KEY, 3, 5n, IDENTITY)
  return found && Buffer.from(found.extents.packed)
}

test.for([2n ** 63n, -(2n ** 63n) - 1n, 9_400_000_000_000_000_000_001n, (2n ** 63n - 1n) * 1_000_000_000n])(
  'a file of the time %i, beyond 64 bits, is known again, and one of another time is not',
  (mtimeNs) => {
    using state = new FileState(directory, VAULT)
    state.remember(KEY, 3, mtimeNs, IDENTITY, known(extentsOf([1, 2, 3])))
    state.commit([])
    expect(state.unchanged(KEY, 3, mtimeNs, IDENTITY)).toBeDefined()
    expect(state.unchanged(KEY, 3, mtimeNs + 1n, IDENTITY)).toBeUndefined()
  },
)

test('what was remembered and committed is known; what was not committed is not', () => {
  remember()
  expect(recall()).toEqual(extentsOf([1, 2, 3]).packed)
  rmSync(join(directory, 'files.db'))
  {
    using state = new FileState(directory, VAULT)
    state.remember(KEY, 3, 5n, IDENTITY, known(extentsOf([1, 2, 3])))
  }
  expect(recall()).toBeUndefined()
})

test('nothing of it is a file that is mapped into memory, where a read error of the disk ends the process', () => {
  using state = new FileState(directory, VAULT)
  state.commit([])
  expect(readdirSync(directory).sort()).toEqual(['files.db', 'files.db-wal'])
})

test('extended attributes come back with the extents', () => {
  using state = new FileState(directory, VAULT)
  const attributes = [
    { name: Buffer.from('user.a'), value: Buffer.from([0, 255]) },
    { name: Buffer.from('user.b'), value: Buffer.alloc(0) },
  ]
  state.remember(KEY, 3, 5n, IDENTITY, known(extentsOf([1, 2, 3]), attributes))
  const found = state.unchanged(KEY, 3, 5n, IDENTITY)
  expect(found?.attributes?.map(({ name, value }) => [Buffer.from(name), Buffer.from(value)])).toEqual(
    attributes.map(({ name, value }) => [name, value]),
  )
  expect(found?.extents.count).toBe(1)
})

test('any extents come back', () => {
  using state = new FileState(directory, VAULT)
  const extent = fc.tuple(fc.nat(255), fc.nat(0xffffffff), fc.nat(0xffffffff))
  fc.assert(
    fc.property(fc.array(extent, { maxLength: 50 }), (list) => {
      const extents = extentsOf(...list)
      state.remember(KEY, 3, 5n, IDENTITY, known(extents))
      expect(Buffer.from(state.unchanged(KEY, 3, 5n, IDENTITY)?.extents.packed ?? [1])).toEqual(
        Buffer.from(extents.packed),
      )
    }),
  )
})

test('a file is unchanged only while size, both times and inode are as they were', () => {
  remember()
  using state = new FileState(directory, VAULT)
  const { ctimeNs, inode } = IDENTITY
  expect(state.unchanged(KEY, 3, 5n, IDENTITY)).toBeDefined()
  expect(state.unchanged(KEY, 4, 5n, IDENTITY)).toBeUndefined()
  expect(state.unchanged(KEY, 3, 6n, IDENTITY)).toBeUndefined()
  expect(state.unchanged(KEY, 3, 5n, { ctimeNs: ctimeNs + 1n, inode })).toBeUndefined()
  expect(state.unchanged(KEY, 3, 5n, { ctimeNs, inode: 43n })).toBeUndefined()
  expect(state.unchanged(Buffer.alloc(16), 3, 5n, IDENTITY)).toBeUndefined()
})

test('times before 1970 and inodes of 64 bits are kept', () => {
  using state = new FileState(directory, VAULT)
  const odd = { ctimeNs: -(2n ** 62n), inode: 2n ** 64n - 1n }
  state.remember(KEY, 2 ** 50, -5n, odd, known(extentsOf()))
  expect(state.unchanged(KEY, 2 ** 50, -5n, odd)?.extents.count).toBe(0)
})

test('the state of another vault is not believed', () => {
  remember()
  expect(recall('cd'.repeat(16))).toBeUndefined()
})

test('a file that is no database is replaced', () => {
  writeFileSync(join(directory, 'files.db'), 'rubbish '.repeat(1000))
  expect(recall()).toBeUndefined()
  remember()
  expect(recall()).toBeDefined()
})

test('wherever a byte of the database is damaged, a file is known as it was or not at all, and nothing is thrown', () => {
  for (let i = 0; i < 40; i++) remember(Buffer.alloc(16, `key ${i}`))
  remember()
  const path = join(directory, 'files.db')
  const good = readFileSync(path)
  const expected = extentsOf([1, 2, 3]).packed
  let lost = 0
  for (let at = 0; at < good.length; at += 37) {
    const damaged = Buffer.from(good)
    damaged[at] = (damaged[at] ?? 0) ^ (1 << (at % 8))
    for (const suffix of ['', '-wal', '-shm']) rmSync(`${path}${suffix}`, { force: true })
    writeFileSync(path, damaged)
    const known = recall()
    if (known) expect([at, Buffer.compare(known, expected) === 0]).toEqual([at, true])
    else lost++
  }
  expect(lost).toBeGreaterThan(0)
})

test('when whole pages are rubbish the run goes on, and the next one starts again', () => {
  for (let i = 0; i < 3000; i++) if (i % 1000 === 0) remember(Buffer.alloc(16, `key ${i}`))
  {
    using state = new FileState(directory, VAULT)
    for (let i = 0; i < 3000; i++)
      state.remember(Buffer.alloc(16, `key ${i}`), 3, 5n, IDENTITY, known(extentsOf([1, 2, 3])))
    state.commit([])
  }
  const path = join(directory, 'files.db')
  const bytes = readFileSync(path)
  bytes.fill(0xa5, 4096 * 4)
  writeFileSync(path, bytes)
  {
    using state = new FileState(directory, VAULT)
    for (let i = 0; i < 3000; i++) {
      expect(state.unchanged(Buffer.alloc(16, `no ${i}`), 3, 5n, IDENTITY)).toBeUndefined()
      state.remember(Buffer.alloc(16, `key ${i}`), 3, 5n, IDENTITY, known(extentsOf([4, 5, 6])))
    }
    state.commit([Buffer.alloc(32, 1)])
  }
  remember()
  expect(recall()).toBeDefined()
})

test('chunks that were mostly dead are known to the next run', () => {
  {
    using state = new FileState(directory, VAULT)
    expect(state.mostlyDead().size).toBe(0)
    state.commit([Buffer.alloc(32, 1), Buffer.alloc(32, 2)])
  }
  using state = new FileState(directory, VAULT)
  expect([...state.mostlyDead()].sort()).toEqual(['01'.repeat(32), '02'.repeat(32)])
})

test('what was not seen for many runs is forgotten, what is unchanged each time is not', () => {
  remember()
  const other = Buffer.alloc(16, 'other')
  remember(other)
  for (let run = 0; run < 1100; run++) {
    using state = new FileState(directory, VAULT)
    expect(state.unchanged(KEY, 3, 5n, IDENTITY)).toBeDefined()
    state.commit([])
  }
  using state = new FileState(directory, VAULT)
  expect(state.unchanged(KEY, 3, 5n, IDENTITY)).toBeDefined()
  expect(state.unchanged(other, 3, 5n, IDENTITY)).toBeUndefined()
})
