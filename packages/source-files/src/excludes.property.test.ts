import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { TestTree } from './test-support/test-tree.ts'

// Few letters, so that patterns meet names. A name is bytes: é is two of them.
const glyph = fc.constantFrom(
  'a',
  'b',
  'A',
  'é',
  '.',
  '-',
  ' ',
  '#',
  '!',
  '[',
  ']',
  '\\',
  '*',
  '{',
  '$',
  '\n',
)
const name = fc
  .array(glyph, { minLength: 1, maxLength: 3 })
  .map((glyphs) => glyphs.join(''))
  .filter((one) => one !== '.' && one !== '..')
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => names.join('/'))
const LITERALS = ['a', 'b', 'é', '.', '-', ' ', '#', '!', '{', '$', '\\', '\\ ', '\\#', '\\!', '\\*'] as const
const WILDCARDS = [
  '/',
  '*',
  '?',
  '**/',
  '/**',
  '/**/',
  '[ab]',
  '[!a]',
  '[^b]',
  '[a-c]',
  '[[:alpha:]]',
  '[]a]',
  '[',
] as const
const piece = fc.constantFrom(...LITERALS, ...WILDCARDS)
const pattern = fc
  .array(piece, { minLength: 1, maxLength: 5 })
  .map((pieces) => pieces.join(''))
  // Known not to be as git has it: a run of three asterisks or more beside other characters.
  .filter((one) => !one.includes('***'))
  // By gitignore(5) `**` is a regular asterisk where no slash bounds it. Git itself takes off what no wildcard is in
  // before it matches, so that `.**/a` becomes `**/a` below a dot and ignores `.b/c/a`. Ours is the manual's way.
  .filter((one) => !/(?<!^!?|\/)\*\*/.test(one))

/** What git does not ignore. */
function keptByGit(root: string, patterns: readonly string[]): string[] {
  writeFileSync(`${root}/.git/info/exclude`, patterns.map((one) => `${one}\n`).join(''))
  const all = execFileSync('git', ['ls-files', '--others', '-z'], { cwd: root, encoding: 'latin1' })
  const input = Buffer.from(all, 'latin1')
  // It exits with 1 when none is ignored.
  const { stdout } = spawnSync('git', ['check-ignore', '-z', '--stdin'], {
    cwd: root,
    input,
    encoding: 'latin1',
  })
  const ignored = new Set(stdout.split('\0'))
  return all.split('\0').filter((one) => one !== '' && !ignored.has(one))
}

test('whatever the patterns and names, what is taken is what git does not ignore', {
  timeout: 120_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(path, { minLength: 1, maxLength: 25 }),
      fc.array(fc.array(pattern, { minLength: 1, maxLength: 4 }), { minLength: 6, maxLength: 6 }),
      async (paths, lists) => {
        using tree = new TestTree()
        execFileSync('git', ['init', '--quiet'], { cwd: tree.root })
        for (const one of paths) {
          try {
            mkdirSync(dirname(tree.at(one)), { recursive: true })
            writeFileSync(tree.at(one), '', { flag: 'wx' })
          } catch {
            // It is a directory already, or below a file.
          }
        }
        for (const patterns of lists) {
          const { entries } = await tree.walk({ exclude: [...patterns, '/.git'] })
          const taken = [...entries]
            .filter(([, { type }]) => type === 'file')
            .map(([taking]) => taking.slice(1))
          expect({ patterns, taken: taken.sort() }).toEqual({
            patterns,
            taken: keptByGit(tree.root, patterns).sort(),
          })
        }
        rmSync(tree.root, { recursive: true })
      },
    ),
    { numRuns: 60 },
  )
})

test('patterns meet names that are not UTF-8 byte by byte', async () => {
  using tree = new TestTree()
  for (const bytes of ['x\xff', 'x\xfe\xff', 'y\xff'])
    writeFileSync(Buffer.concat([Buffer.from(`${tree.root}/`), Buffer.from(bytes, 'latin1')]), '')
  expect((await tree.walk({ exclude: ['x?'] })).names).toEqual(['/x\xfe\xff', '/y\xff'])
})
