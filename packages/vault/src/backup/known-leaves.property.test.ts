import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { EntryReader, Source } from '@pipe-backup/source'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { openSnapshotHead, snapshotIdOf } from '../format/snapshot-object.ts'
import { type EntrySpec, MemorySource } from '../test-support/memory-source.ts'
import { TestVault } from '../test-support/test-vault.ts'

const FILES = 600

/** The specs of a tree that has several leaves; each is another object each time. */
function specs(): Map<string, EntrySpec> {
  const tree = new Map<string, EntrySpec>()
  for (let n = 0; n < FILES; n++) {
    const directory = `d${Math.floor(n / 50)}`
    tree.set(directory, { type: 'directory' })
    tree.set(`${directory}/${n}`, { bytes: Buffer.from(`file ${n}`), mtimeNs: BigInt(n) })
  }
  tree.set('link', { type: 'symlink', target: 'd0/1' })
  tree.set('other-name', { type: 'hardlink', linkTo: 'd0/1' })
  return tree
}

function inDatabase(vault: TestVault, act: (db: DatabaseSync) => void): void {
  using db = new DatabaseSync(join(vault.stateDirectory, 'files.db'))
  act(db)
}

function leavesOf(vault: TestVault): number {
  let count = 0
  inDatabase(vault, (db) => {
    count = Number(db.prepare('SELECT count(*) AS n FROM leaves').get()?.['n'])
  })
  return count
}

/** @returns the root of the manifest that this run has made */
async function rootOf(vault: TestVault, source: MemorySource): Promise<string> {
  const { snapshot } = await vault.run([source])
  const one = vault.sink('one')
  const key = one.keys('snapshots/').find((name) => snapshotIdOf(name) === snapshot) ?? ''
  const [head] = openSnapshotHead(vault.keys, key, one.objects.get(key) ?? Buffer.of()).sources
  return head?.root ?? expect.fail('a source without a manifest')
}

const change = fc.record({
  kind: fc.constantFrom('write', 'mode', 'mtime', 'remove', 'add', 'become-link', 'touch-directory'),
  at: fc.nat(FILES - 1),
})

test('whatever changes, the manifest is the one that is built entry by entry', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(change, { maxLength: 3 }), { minLength: 1, maxLength: 3 }),
      async (runs) => {
        using vault = await TestVault.create()
        const source = new MemorySource('tree', Object.fromEntries(specs()))
        await vault.run([source])
        for (const changes of runs) {
          for (const { kind, at } of changes) {
            const path = `d${Math.floor(at / 50)}/${at}`
            const bytes = Buffer.from(`changed ${at}`)
            if (kind === 'write') source.set(path, { bytes })
            else if (kind === 'mode') source.set(path, { bytes, mode: 0o600 })
            else if (kind === 'mtime') source.set(path, { bytes, mtimeNs: 5n })
            else if (kind === 'remove') source.remove(path)
            else if (kind === 'add') source.set(`${path}-more`, { bytes })
            else if (kind === 'become-link') source.set(path, { type: 'symlink', target: 'x' })
            else source.set(`d${at % 12}`, { type: 'directory' })
          }
          // What was beside it in a mostly dead bundle moves into another one first.
          let known = await rootOf(vault, source)
          for (let before = ''; known !== before; ) [before, known] = [known, await rootOf(vault, source)]
          inDatabase(vault, (db) => db.exec('DELETE FROM leaves'))
          expect(await rootOf(vault, source)).toBe(known)
        }
      },
    ),
    { numRuns: 4 },
  )
})

test('what has not changed is recognised by its leaf: no file of it is looked up, and all of it is in the snapshot', async () => {
  using vault = await TestVault.create()
  const source = new MemorySource('tree', Object.fromEntries(specs()))
  const first = await vault.run([source])
  expect(leavesOf(vault)).toBeGreaterThan(2)
  inDatabase(vault, (db) => db.exec('DELETE FROM files'))
  source.opened.length = 0
  const { sources } = await vault.run([source])
  // The last leaf has no end of its own: it is never a known one.
  expect(source.opened.length).toBeLessThan(FILES / 2)
  const { entries, bytes } = first.sources[0] ?? expect.fail('no source')
  expect(sources).toMatchObject([{ entries, bytes }])
  expect(await vault.verify({ deep: true })).toMatchObject({ exitCode: 0 })
  expect(Object.keys(await vault.texts())).toHaveLength(FILES)
})

test('a file that has changed is opened before the next entry is asked for, whatever was held before it', async () => {
  using vault = await TestVault.create()
  const source = new MemorySource('tree', Object.fromEntries(specs()))
  await vault.run([source])
  source.set('d5/260', 'changed')
  source.opened.length = 0
  let afterIt: string[] | undefined
  source.beforeEntry = (path) => {
    if (path === 'd5/261') afterIt = [...source.opened]
  }
  await vault.run([source])
  expect(afterIt).toEqual(['d5/260'])
  expect(source.opened).toEqual(['d5/260'])
})

test.each([
  ['a flipped bit', 'UPDATE leaves SET value = zeroblob(4) || substr(value, 5)'],
  ['a cut row', 'UPDATE leaves SET value = substr(value, 1, 20)'],
  ['a wrong type', "UPDATE leaves SET value = 'text'"],
  ['another leaf', 'UPDATE leaves SET value = (SELECT value FROM leaves ORDER BY key LIMIT 1)'],
])('%s in what is known of leaves costs a look at each file, and nothing else', async (_, sql) => {
  using vault = await TestVault.create()
  const source = new MemorySource('tree', Object.fromEntries(specs()))
  const first = await rootOf(vault, source)
  inDatabase(vault, (db) => db.exec(sql))
  source.opened.length = 0
  expect(await rootOf(vault, source)).toBe(first)
  expect(source.opened).toEqual([])
})

test('every so many runs each file is looked up again, so that none of them is forgotten', async () => {
  using vault = await TestVault.create()
  const source = new MemorySource('tree', Object.fromEntries(specs()))
  await vault.run([source])
  const oldest = () => {
    let seen = 0
    inDatabase(vault, (db) => {
      seen = Number(db.prepare('SELECT min(seen) AS seen FROM files').get()?.['seen'])
    })
    return seen
  }
  expect(oldest()).toBe(1)
  inDatabase(vault, (db) => db.exec("UPDATE meta SET value = '31' WHERE name = 'run'"))
  await vault.run([source])
  expect(oldest()).toBe(1)
  expect(leavesOf(vault)).toBeGreaterThan(2)
  await vault.run([source])
  expect(oldest()).toBe(33)
  expect(leavesOf(vault)).toBeGreaterThan(2)
})

test('a leaf of which a sink has lost a chunk is not a known one', async () => {
  using vault = await TestVault.create()
  const source = new MemorySource('tree', Object.fromEntries(specs()))
  await vault.run([source])
  for (const key of vault.sink('one').keys('packs/')) vault.sink('one').objects.delete(key)
  await vault.verify()
  source.opened.length = 0
  await vault.run([source])
  expect(source.opened).toHaveLength(FILES)
  expect(await vault.texts()).toMatchObject({ 'tree/d0/1': 'file 1' })
})

test('what a forced run has found is not undone by a leaf of before: it may begin where one began earlier', async () => {
  using vault = await TestVault.create()
  const tree = new MemorySource('tree', Object.fromEntries(specs()))
  let hasChanged = false
  const source: Source = {
    name: 'tree',
    // The bytes change without a trace, as through a mapped page: same size, times and inode.
    async *entries(context) {
      for await (const entry of tree.entries(context)) {
        if (entry.type !== 'file') yield entry
        else {
          const open = entry.open.bind(entry)
          yield { ...entry, open: async () => (hasChanged ? changed(await open()) : await open()) }
        }
      }
    },
  }
  await vault.run([source])
  hasChanged = true
  // Another entry before the others: leaves begin elsewhere, and those of before are not replaced.
  tree.set('a', 'comes')
  await vault.run([source], { force: true })
  tree.remove('a')
  await vault.run([source])
  const texts = Object.values(await vault.texts())
  expect(texts.filter((text) => text !== '' && !text.startsWith('!'))).toEqual([])
})

/** A reader of other bytes. */
function changed(reader: EntryReader): EntryReader {
  return {
    read: async (into) => {
      const got = await reader.read(into)
      into.fill(0x21, 0, got)
      return got
    },
    finish: () => reader.finish(),
    close: () => reader.close(),
  }
}
