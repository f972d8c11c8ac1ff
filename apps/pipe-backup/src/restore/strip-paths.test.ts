import type { Entry } from '@pipe-backup/source'
import { expect, test } from 'vitest'
import { stripPaths } from './strip-paths.ts'

const metadata = { mode: 0o644, uid: 0, gid: 0, user: '', group: '', mtimeNs: 0n }
const directory = (path: string): Entry => ({ ...metadata, type: 'directory', path: Buffer.from(path) })
const link = (path: string, linkTo: string): Entry => ({
  ...metadata,
  type: 'hardlink',
  path: Buffer.from(path),
  linkTo: Buffer.from(linkTo),
})

test('components are taken off paths and off what hard links mean; what has no more is left out', async () => {
  async function* entries() {
    yield* [directory('tree'), directory('tree/a'), directory('tree/a/b'), link('tree/a/c', 'tree/a/b')]
  }
  const after = async (count: number) =>
    (await Array.fromAsync(stripPaths(entries(), count))).map((entry) => [
      Buffer.from(entry.path).toString(),
      ...(entry.type === 'hardlink' ? [Buffer.from(entry.linkTo).toString()] : []),
    ])
  expect(await after(1)).toEqual([['a'], ['a/b'], ['a/c', 'a/b']])
  expect(await after(2)).toEqual([['b'], ['c', 'b']])
  expect(await after(3)).toEqual([])
})
