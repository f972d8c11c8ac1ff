import { expect, test } from 'vitest'
import { indexPage, multistatus } from './listing.ts'
import type { ViewDirectory, ViewNode } from './view.ts'

const COUNT = 100_000
let given = 0

const directory: ViewDirectory = {
  type: 'directory',
  name: Buffer.from('large'),
  modified: new Date(0),
  children: async function* (): AsyncGenerator<ViewNode> {
    for (given = 0; given < COUNT; given++) yield { ...directory, name: Buffer.from(`d${given}`) }
  },
}

test.for([
  ['PROPFIND', multistatus('/large/', directory, 1), COUNT + 1, /<D:response>/g],
  ['a page', indexPage('/large/', directory), COUNT, /href="\/large\//g],
] as const)(
  'a list of 100,000 entries for %s comes in pieces, as it is taken',
  async ([, pieces, count, pattern]) => {
    const first = await pieces.next()
    expect(given).toBeLessThan(1000)
    let found = String(first.value).match(pattern)?.length ?? 0
    for await (const piece of pieces) {
      expect(piece.length).toBeLessThan(64 * 1024)
      found += piece.match(pattern)?.length ?? 0
    }
    expect(found).toBe(count)
  },
)
