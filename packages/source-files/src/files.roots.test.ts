import { chmodSync, chownSync, linkSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { comparePaths } from '@pipe-backup/source'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { files } from './files.ts'
import { filesSource } from './files-source.ts'
import { readEntry, TestTree } from './test-support/test-tree.ts'

let tree: TestTree
beforeEach(() => {
  tree = new TestTree()
})
afterEach(() => tree[Symbol.dispose]())
const at = (...parts: string[]) => tree.at(...parts)

test('a configured path that is a file is that file, and nothing beside it', async () => {
  writeFileSync(at('one'), 'x')
  writeFileSync(at('one.more'), 'x')
  expect((await tree.walk({}, [at('one')])).names).toEqual(['/one'])
})

test('a configured path that is a link is taken as a link, and so is the tree that it leads to', async () => {
  mkdirSync(at('disk/state'), { recursive: true })
  writeFileSync(at('disk/state/db'), 'chain')
  symlinkSync('disk/state', at('relative'))
  symlinkSync(at('relative'), at('chain'))
  const { entries, names, problems } = await tree.walk({}, [at('chain')])
  expect({ names, problems }).toEqual({ names: ['/chain', '/disk/state', '/disk/state/db'], problems: [] })
  expect(entries.get('/chain')?.type).toBe('symlink')
  expect((await readEntry(entries.get('/disk/state/db'))).bytes.toString()).toBe('chain')
})

test('a link in the tree is a link: what it leads to was not asked for', async () => {
  mkdirSync(at('in'))
  mkdirSync(at('out'))
  writeFileSync(at('out/secret'), 'x')
  symlinkSync('../out', at('in/link'))
  expect((await tree.walk({}, [at('in')])).names).toEqual(['/in', '/in/link'])
})

test.for([
  ['a path that is not there', ['missing']],
  ['a link that leads nowhere', ['dangling']],
  ['several of them', ['missing', 'dangling', 'not/here']],
] as const)('a source of nothing but %s has failed', async ([, names]) => {
  symlinkSync('nowhere', at('dangling'))
  const source = filesSource({ name: 'lost', paths: names.map((name) => at(name)) })
  const reading = (async () => {
    for await (const { type } of source.entries({ onProblem: () => undefined })) expect(type).toBe('symlink')
  })()
  await expect(reading).rejects.toMatchObject({ name: 'SourceError', code: 'vanished' })
})

test('of several paths one may be missing: it is reported, and the others are taken', async () => {
  writeFileSync(at('here'), 'x')
  const { names, problems } = await tree.walk({}, [at('a-missing'), at('here'), at('z-missing')])
  expect(names).toEqual(['/here'])
  expect(problems.map(({ code, path }) => [code, path])).toEqual([
    ['vanished', at('a-missing').slice(1)],
    ['vanished', at('z-missing').slice(1)],
  ])
})

test('an empty directory is an entry, and no failure', async () => {
  mkdirSync(at('empty'))
  const { names, problems } = await tree.walk({}, [at('empty')])
  expect({ names, problems }).toEqual({ names: ['/empty'], problems: [] })
})

test('~ is a name like any other: whoever reads it from a person must expand it', async () => {
  mkdirSync(at('~'))
  writeFileSync(at('~/x'), 'x')
  expect((await tree.walk({}, [at('~')])).names).toEqual(['/~', '/~/x'])
})

test.for([[''], ['a\0b']])('a path that can be none is refused at once: %j', ([path = '']) => {
  expect(() => files([path])).toThrow(TypeError)
  expect(() => filesSource({ name: 'bad', paths: [path] })).toThrow(TypeError)
})

test('a path asked for by name is taken, though a pattern excludes it in the tree around it', async () => {
  for (const name of ['cache/keep/file', 'cache/other', 'x']) {
    mkdirSync(dirname(at(name)), { recursive: true })
    writeFileSync(at(name), name)
  }
  const { names } = await tree.walk({ exclude: ['cache', 'file'] }, [tree.root, at('cache/keep')])
  expect(names).toEqual(['/cache/keep', '/x'])
})

test.runIf(process.getuid?.() === 0)(
  'what may not be read is reported, each with its path, and the rest goes on',
  async () => {
    mkdirSync(at('shut'))
    writeFileSync(at('secret'), 'x', { mode: 0o600 })
    writeFileSync(at('of another'), 'readable')
    writeFileSync(at('zz'), 'last')
    linkSync(at('zz'), at('second name'))
    for (const [path, mode] of [
      [tree.root, 0o755],
      [at('shut'), 0o700],
    ] as const)
      chmodSync(path, mode)
    chownSync(at('zz'), 65_534, 65_534)
    const reported: string[] = []
    const texts: string[] = []
    // Root reads everything.
    process.seteuid?.(65_534)
    try {
      const { problems } = await tree.walk({}, [tree.root], async (entry, name) => {
        if (entry.type !== 'file') return
        try {
          texts.push(`${name} ${(await readEntry(entry)).bytes.toString()}`)
        } catch (error) {
          expect(error).toMatchObject({ name: 'SourceError', hint: expect.any(String) })
          reported.push(`${name} ${String(Reflect.get(Object(error), 'code'))}`)
        }
      })
      expect(problems.map(({ code, path }) => [code, path])).toEqual([['unreadable', at('shut').slice(1)]])
    } finally {
      process.seteuid?.(0)
    }
    expect(reported).toEqual(['/secret unreadable'])
    expect(texts).toEqual(['/of another readable', '/second name last'])
  },
)

const name = fc.constantFrom('a', 'a.b', 'a b', 'a0', 'b', 'é')
const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => names.join('/'))

test('any paths, nested as they may be, give what is in them once, in order', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(path, { minLength: 1, maxLength: 12 }),
      fc.array(path, { minLength: 1, maxLength: 4 }),
      async (made, asked) => {
        using own = new TestTree()
        const all = new Set<string>()
        for (const one of made) {
          mkdirSync(own.at(one), { recursive: true })
          for (let up = one; up !== '.'; up = dirname(up)) all.add(up)
        }
        const expected = [...all]
          .filter((one) => asked.some((root) => one === root || one.startsWith(`${root}/`)))
          .map((one) => Buffer.from(one))
          .sort(comparePaths)
        const reading = own.walk(
          {},
          asked.map((root) => join(own.root, root)),
        )
        const names =
          expected.length > 0
            ? (await reading).names
            : await reading.then(
                () => ['none'],
                () => [],
              )
        expect(names).toEqual(expected.map((one) => `/${one.toString('latin1')}`))
        rmSync(own.root, { recursive: true })
      },
    ),
    { numRuns: 60 },
  )
})
