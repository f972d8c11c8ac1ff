import { execFileSync } from 'node:child_process'
import { closeSync, openSync, truncateSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { TestTree } from './test-support/test-tree.ts'

test('a directory of 200,000 entries is walked with 32 MB of heap', async () => {
  using tree = new TestTree()
  // In memory where it can be: a disk takes a minute to make and delete so many.
  const isRoot = process.getuid?.() === 0
  if (isRoot) execFileSync('mount', ['-t', 'tmpfs', '-o', 'nr_inodes=0', 'none', tree.root])
  using _ = { [Symbol.dispose]: () => void (isRoot && execFileSync('umount', [tree.root])) }
  for (let i = 0; i < 200_000; i++) closeSync(openSync(tree.at(`a-name-of-usual-length-${i}`), 'w'))
  const script = `
    import { files } from ${JSON.stringify(join(import.meta.dirname, 'files.ts'))}
    let entries = 0
    for await (const { path } of files([process.argv[1]])) entries += path.length > 0 ? 1 : 0
    console.log(entries)`
  const options = ['--max-old-space-size=32', '--conditions=pipe-backup-src', '--input-type=module']
  const count = execFileSync(process.execPath, [...options, '--eval', script, tree.root], {
    encoding: 'utf8',
  })
  expect(Number(count)).toBe(200_001)
}, 120_000)

test('a sparse file of more than 4 GiB is read to its last byte, in bounded memory', async () => {
  using tree = new TestTree()
  const size = 2 ** 32 + 1_000_003
  writeFileSync(tree.at('large'), '')
  truncateSync(tree.at('large'), size)
  const fd = openSync(tree.at('large'), 'r+')
  writeSync(fd, 'last', size - 4)
  closeSync(fd)
  const entry = (await tree.walk()).entries.get('/large')
  if (entry?.type !== 'file') throw new Error('not a file')
  const reader = await entry.open()
  const into = Buffer.alloc(1024 * 1024)
  let [taken, end] = [0, '']
  for (let got = await reader.read(into); got > 0; got = await reader.read(into)) {
    taken += got
    end = into.toString('latin1', Math.max(0, got - 4), got)
  }
  const { steady } = await reader.finish()
  expect({ size: entry.size, sparse: entry.sparse, taken, end, steady }).toEqual({
    size,
    sparse: true,
    taken: size,
    end: 'last',
    steady: true,
  })
}, 60_000)
