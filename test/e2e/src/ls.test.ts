import { mkdirSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Sandbox } from './sandbox.ts'

const sandbox = new Sandbox()
const tree = sandbox.path('tree')
const phrase = ['--phrase-file', 'phrase']

beforeAll(async () => {
  mkdirSync(`${tree}/a/deep/er`, { recursive: true })
  mkdirSync(`${tree}/b`)
  for (const path of [
    'a/one.json',
    'a/deep/two.json',
    'a/deep/er/three.txt',
    'b/four.json',
    'b/[x].json',
    'b/x.json',
  ])
    writeFileSync(`${tree}/${path}`, path)
  writeFileSync(Buffer.concat([Buffer.from(`${tree}/caf`), Buffer.of(0xe9)]), 'no UTF-8')
  sandbox.configure({
    sources: [
      { type: 'files', name: 'tree', paths: [tree] },
      { type: 'command', name: 'words', run: ['echo', 'hello'], path: 'said/one.json' },
    ],
    sinks: sandbox.sinks('one'),
  })
  await sandbox.ok(['init', '--phrase-out', 'phrase'])
  await sandbox.ok(['run'])
})
afterAll(() => sandbox[Symbol.dispose]())

/** The paths below the tree, and of other sources as they are. */
async function ls(...args: string[]): Promise<string[]> {
  const out = (await sandbox.ok(['ls', 'latest', ...args, ...phrase, '--json'])).toString()
  return out
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => String(JSON.parse(line).path).replace(`tree${tree}`, '~'))
}

test('a pattern lists what matches, with all that is below it', async () => {
  expect(await ls(`tree${tree}/*/one.json`)).toEqual(['~/a/one.json'])
  expect(await ls(`tree${tree}/*/deep/er`)).toEqual(['~/a/deep/er', '~/a/deep/er/three.txt'])
})

test('a name as a pattern is looked for at any depth in all sources, and a path of the machine in those that have it', async () => {
  expect(await ls('one.*')).toEqual(['~/a/one.json', 'words/said/one.json'])
  expect(await ls(`${tree}/a/deep`)).toEqual([
    '~/a/deep',
    '~/a/deep/er',
    '~/a/deep/er/three.txt',
    '~/a/deep/two.json',
  ])
  expect(await ls('d??p')).toEqual(['~/a/deep', '~/a/deep/er', '~/a/deep/er/three.txt', '~/a/deep/two.json'])
  expect(await ls('d??p', '--depth', '0')).toEqual(['~/a/deep'])
  expect(await ls('d??p', '--depth', '1')).toEqual(['~/a/deep', '~/a/deep/er', '~/a/deep/two.json'])
})

test('a path that is there is no pattern, whatever is in it', async () => {
  expect(await ls(`tree${tree}/b/[x].json`)).toEqual(['~/b/[x].json'])
  expect(await ls(`tree${tree}/b/[xy].json`)).toEqual(['~/b/x.json'])
})

test('a name that is no UTF-8 is listed by how it is listed', async () => {
  const out = (await sandbox.ok(['ls', 'latest', `tree${tree}/caf\\xe9`, ...phrase])).toString()
  expect(out.trim().split('\n')).toEqual([expect.stringContaining(`tree${tree}/caf\\xe9`)])
})

test('a depth bounds how far below a path is listed, and shows directories of which only the content is there', async () => {
  expect(await ls(`tree${tree}/a`, '--depth', '0')).toEqual(['~/a'])
  expect(await ls(`tree${tree}/a`, '--depth', '1')).toEqual(['~/a', '~/a/deep', '~/a/one.json'])
  expect(await ls(`tree${tree}/a/one.json`, '--depth', '3')).toEqual(['~/a/one.json'])
  expect(await ls('--depth', '0')).toEqual(['tree', 'words'])
  expect(await ls('--depth', '1')).toEqual(['tree', `tree/${tree.split('/')[1]}`, 'words', 'words/said'])
  expect(await ls(`tree${tree}`, '--depth', '9')).toEqual(await ls(`tree${tree}`))
  const out = (await sandbox.ok(['ls', 'latest', 'words', '--depth', '1', ...phrase])).toString()
  expect(out).toMatch(/^d\?{9} .* words\nd\?{9} .* words\/said\n$/)
})

test('what is not there fails, as a path and as a pattern', async () => {
  for (const [path, message] of [
    [`tree${tree}/none`, `has no tree${tree}/none`],
    ['*.none', 'has nothing that matches *.none'],
    [`tree${tree}/*.none`, 'has nothing that matches tree'],
    ['none/*', 'no snapshot has a good copy of none'],
  ] as const) {
    const { code, out, err } = await sandbox.run(['ls', 'latest', path, ...phrase])
    expect([code, out.length]).toEqual([1, 0])
    expect(err).toContain(message)
  }
  expect((await sandbox.run(['ls', 'latest', 'tree', '--depth', 'x', ...phrase])).code).toBe(2)
})
