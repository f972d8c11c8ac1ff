import type { Entry, SourceProblem } from '@pipe-backup/source'
import { expect, test } from 'vitest'
import { stripPaths } from './strip-paths.ts'

const metadata = { mode: 0o644, uid: 0, gid: 0, user: '', group: '', mtimeNs: 0n }
const directory = (path: string): Entry => ({ ...metadata, type: 'directory', path: Buffer.from(path) })
const fifo = (path: string): Entry => ({ ...metadata, type: 'fifo', path: Buffer.from(path) })
const link = (path: string, linkTo: string): Entry => ({
  ...metadata,
  type: 'hardlink',
  path: Buffer.from(path),
  linkTo: Buffer.from(linkTo),
})

async function strip(entries: readonly Entry[], count: number) {
  async function* all() {
    yield* entries
  }
  const stripped = { directories: 0, files: 0, problems: 0 }
  const lines: string[] = []
  const onProblem = ({ path, message }: SourceProblem) => lines.push(`${path}: ${message}`)
  const left = (await Array.fromAsync(stripPaths(all(), count, stripped, onProblem))).map((entry) => [
    Buffer.from(entry.path).toString(),
    ...(entry.type === 'hardlink' ? [Buffer.from(entry.linkTo).toString()] : []),
  ])
  return { left, lines, ...stripped }
}

test('components are taken off paths and off what hard links mean; what has no more is left out', async () => {
  const entries = [directory('tree'), directory('tree/a'), fifo('tree/a/b'), link('tree/a/c', 'tree/a/b')]
  expect(await strip(entries, 1)).toMatchObject({
    left: [['a'], ['a/b'], ['a/c', 'a/b']],
    files: 0,
    directories: 1,
  })
  expect(await strip(entries, 2)).toMatchObject({ left: [['b'], ['c', 'b']], files: 0 })
  expect(await strip(entries, 3)).toMatchObject({ left: [], files: 2, directories: 2 })
})

test('what would replace another entry is reported and left out, directories are not', async () => {
  const entries = [directory('a/1/d'), fifo('a/1/d/x'), directory('a/2/d'), fifo('a/2/d/x'), fifo('a/2/d/y')]
  const { left, lines, problems } = await strip(entries, 2)
  expect(left).toEqual([['d'], ['d/x'], ['d'], ['d/y']])
  expect(problems).toBe(1)
  expect(lines).toEqual(['a/2/d/x: not restored: another entry becomes d/x by --strip 2, too'])
})
