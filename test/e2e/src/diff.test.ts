import { chmodSync, mkdirSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Sandbox } from './sandbox.ts'

const sandbox = new Sandbox()
const tree = sandbox.path('tree')
const phrase = ['--phrase-file', 'phrase']

const notUtf8 = (name: string) => Buffer.concat([Buffer.from(`${tree}/${name}-`), Buffer.from([0xe9, 0xff])])

beforeAll(async () => {
  mkdirSync(`${tree}/d`, { recursive: true })
  mkdirSync(`${tree}/e`)
  for (let i = 0; i < 3000; i++) writeFileSync(`${tree}/d/file-${i}`, `number ${i}`)
  for (const name of ['changed', 'gone', 'mode', 'touched', 'moved'])
    writeFileSync(`${tree}/${name}`, `old ${name}`)
  writeFileSync(notUtf8('old'), 'name that is not UTF-8')
  sandbox.configure({
    sources: [{ type: 'files', name: 'tree', paths: [tree] }],
    sinks: sandbox.sinks('one', 'two'),
  })
  await sandbox.ok(['init', '--phrase-out', 'phrase'])
  await sandbox.ok(['run'])
  writeFileSync(`${tree}/changed`, 'and now longer than before')
  writeFileSync(`${tree}/e/new`, 'new')
  rmSync(`${tree}/gone`)
  chmodSync(`${tree}/mode`, 0o600)
  utimesSync(`${tree}/touched`, 1_234_567_890, 1_234_567_890)
  renameSync(`${tree}/moved`, `${tree}/e/moved`)
  rmSync(notUtf8('old'))
  writeFileSync(notUtf8('new'), 'another')
  for (let i = 0; i < 3000; i += 10) writeFileSync(`${tree}/d/file-${i}`, `other ${i}`)
  await sandbox.ok(['run'])
})
afterAll(() => sandbox[Symbol.dispose]())

async function lines(...args: string[]): Promise<string[]> {
  return (await sandbox.ok(['diff', ...args, ...phrase])).toString().trimEnd().split('\n')
}

test('what was added, removed, changed and renamed is shown, in order, and nothing else', async () => {
  const all = await lines('latest~1', 'latest')
  const numbered = all.filter((line) => line.includes('/d/file-'))
  expect(numbered).toEqual(
    Array.from({ length: 300 }, (_, i) => {
      const size = `number ${i * 10}`.length
      return `M  tree${tree}/d/file-${i * 10}  (${size} B -> ${size - 1} B)`
    }).sort(),
  )
  expect(all.filter((line) => !line.includes('/d/file-'))).toEqual([
    ` m tree${tree}/  (time)`,
    `M  tree${tree}/changed  (11 B -> 26 B)`,
    ` m tree${tree}/e/  (time)`,
    `+  tree${tree}/e/moved  (9 B)`,
    `+  tree${tree}/e/new  (3 B)`,
    `-  tree${tree}/gone  (8 B)`,
    ` m tree${tree}/mode  (rw-r--r-- -> rw-------)`,
    `-  tree${tree}/moved  (9 B)`,
    `+  tree${tree}/new-\\xe9\\xff  (7 B)`,
    `-  tree${tree}/old-\\xe9\\xff  (22 B)`,
    ` m tree${tree}/touched  (time)`,
    '3 added (19 B), 3 removed (39 B), 301 modified (3.1 KiB before, 2.8 KiB after), 4 with other metadata',
  ])
})

test('the other way round everything is the other way round', async () => {
  const count = (all: readonly string[], sign: string) => all.filter((line) => line.startsWith(sign)).length
  const [there, back] = [await lines('latest~1', 'latest'), await lines('latest', 'latest~1')]
  const counts = (all: readonly string[]) => ['+', '-', 'M', ' m'].map((sign) => count(all, sign))
  const [added, removed, ...others] = counts(there)
  expect(counts(back)).toEqual([removed, added, ...others])
  expect(there).not.toEqual(back)
  expect(back).toHaveLength(there.length)
})

test('a snapshot is no other than itself', async () => {
  expect(await lines('latest', 'latest')).toEqual([
    '0 added (0 B), 0 removed (0 B), 0 modified (0 B before, 0 B after), 0 with other metadata',
  ])
})

test('programs get a line for each difference, and the numbers last', async () => {
  const all = (await lines('latest~1', 'latest', '--json')).map((line) => JSON.parse(line))
  expect(all.at(-1).summary).toMatchObject({
    added: 3,
    addedBytes: 19,
    removed: 3,
    modified: 301,
    metadata: 4,
  })
  expect(all).toHaveLength(3 + 3 + 301 + 4 + 1)
  const changed = all.find(({ path }) => path === `tree${tree}/changed`)
  expect(changed).toMatchObject({
    change: 'changed',
    parts: ['content', 'mtime'],
    size: 26,
    before: { size: 11 },
  })
  const added = all.find(({ change, pathBase64 }) => change === 'added' && pathBase64)
  expect(
    Buffer.from(added.pathBase64, 'base64').equals(Buffer.concat([Buffer.from('tree'), notUtf8('new')])),
  ).toBe(true)
})

test('one snapshot, none that is there, and none without the phrase are refused', async () => {
  expect((await sandbox.run(['diff', 'latest', ...phrase])).code).toBe(2)
  expect((await sandbox.run(['diff', 'latest', 'latest~9', ...phrase])).code).toBe(1)
  expect((await sandbox.run(['diff', 'latest~1', 'latest'])).code).toBe(2)
})

test('a source that a run was not asked for is shown as removed, and that is said', async () => {
  await sandbox.ok(['run', '--stdin', 'words/hello.txt'], { input: 'hello' })
  const { code, out, err } = await sandbox.run(['diff', 'latest~1', 'latest', ...phrase])
  expect(code).toBe(0)
  expect(out.toString()).toContain('+  words/hello.txt  (5 B)\n')
  expect(err).toContain('is without source "tree": all of it is shown as removed')
  expect(err).toContain('is without source "words": all of it is shown as added')
})
