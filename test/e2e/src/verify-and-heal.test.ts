import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { execa } from 'execa'
import { expect, test } from 'vitest'
import { difference, Sandbox } from './sandbox.ts'

async function prepared(sandbox: Sandbox): Promise<string> {
  const tree = sandbox.path('tree')
  mkdirSync(tree)
  for (let i = 0; i < 30; i++) writeFileSync(`${tree}/f${i}`, `file ${i} `.repeat(1000))
  await execa('dd', ['if=/dev/urandom', `of=${tree}/random`, 'bs=1M', 'count=20'])
  sandbox.configure({
    sources: [{ type: 'files', name: 'tree', paths: ['tree'] }],
    sinks: sandbox.sinks('one', 'two', 'three'),
  })
  await sandbox.ok(['init', '--phrase-out', 'phrase'])
  await sandbox.ok(['run'])
  return tree
}

/** Keys of the packs of a sink, the largest last. */
function packs(sandbox: Sandbox, sink: string): string[] {
  const root = sandbox.path('sinks', sink)
  return readdirSync(join(root, 'packs'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort((a, b) => readFileSync(a).length - readFileSync(b).length)
    .map((path) => path.slice(root.length + 1))
}

function flip(path: string): void {
  const bytes = readFileSync(path)
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 4
  writeFileSync(path, bytes)
}

const json = (out: Buffer) => JSON.parse(out.toString())

test('verify names what is rotten, missing and short on each sink, and heal repairs all', async () => {
  using sandbox = new Sandbox()
  await prepared(sandbox)
  await sandbox.ok(['verify'])
  await sandbox.ok(['verify', '--deep', '--phrase-file', 'phrase'])
  const [small = '', ...others] = packs(sandbox, 'one')
  const large = others.at(-1) ?? ''
  const at = (sink: string, key: string) => sandbox.path('sinks', sink, key)
  const [snapshot = ''] = readdirSync(sandbox.path('sinks/three/snapshots'))
  flip(at('one', large))
  rmSync(at('two', small))
  truncateSync(at('two', large), 1000)
  rmSync(at('three', `snapshots/${snapshot}`))

  const ran = await sandbox.run(['verify', '--json'])
  expect(ran.code).toBe(1)
  const found = json(ran.out).sinks.map(
    (sink: { name: string; problems: { key: string; why: string }[] }) => [
      sink.name,
      sink.problems.map(({ key, why }) => `${why} ${key}`).sort(),
    ],
  )
  expect(found).toEqual([
    ['one', [`corrupt ${large}`]],
    ['two', [`corrupt ${large}`, `missing ${small}`]],
    ['three', [`missing snapshots/${snapshot}`]],
  ])
  for (const key of [small, large, snapshot]) expect(ran.err).toContain(key)

  expect((await sandbox.run(['heal'])).code).toBe(0)
  await sandbox.ok(['verify', '--deep', '--phrase-file', 'phrase'])
  // Only times are others.
  const differs = await difference(sandbox.path('sinks/one'), sandbox.path('sinks/two'))
  expect(differs.split('\n').filter((line) => !/^(\.|$)/.test(line))).toEqual([])
})

test('a sink that is new in the configuration is filled by heal; one that has been emptied is not, unless it is named', async () => {
  using sandbox = new Sandbox()
  const tree = await prepared(sandbox)
  sandbox.configure({
    sources: [{ type: 'files', name: 'tree', paths: ['tree'] }],
    sinks: sandbox.sinks('one', 'two', 'three', 'new'),
  })
  await sandbox.ok(['heal'])
  await sandbox.ok(['restore', 'latest', '--from', 'new', '--phrase-file', 'phrase', '--to', 'restored'])
  expect(await difference(tree, sandbox.path('restored/tree', tree))).toBe('')

  // As when a disk is not mounted.
  renameSync(sandbox.path('sinks/two'), sandbox.path('unmounted'))
  mkdirSync(sandbox.path('sinks/two'))
  const refused = await sandbox.run(['heal'])
  expect(refused.code).toBe(1)
  expect(refused.err).toContain('Is the disk mounted')
  expect(readdirSync(sandbox.path('sinks/two'))).toEqual([])
  await sandbox.ok(['heal', '--sink', 'two'])
  await sandbox.ok(['verify', '--sink', 'two', '--deep', '--phrase-file', 'phrase'])
})

test('restore --repair puts back what it found rotten', async () => {
  using sandbox = new Sandbox()
  const tree = await prepared(sandbox)
  for (const key of packs(sandbox, 'one')) flip(sandbox.path('sinks/one', key))
  await sandbox.ok(['restore', 'latest', '--repair', '--phrase-file', 'phrase', '--to', 'restored'], {
    machine: 'rescue',
  })
  expect(await difference(tree, sandbox.path('restored/tree', tree))).toBe('')
  await sandbox.ok(['restore', 'latest', '--from', 'one', '--phrase-file', 'phrase', '--to', 'again'])
  expect(await difference(tree, sandbox.path('again/tree', tree))).toBe('')
})

test('samples find a rotten byte within a round', async () => {
  using sandbox = new Sandbox()
  await prepared(sandbox)
  const [key = ''] = packs(sandbox, 'two')
  flip(sandbox.path('sinks/two', key))
  const codes: (number | undefined)[] = []
  for (let i = 0; i < 4; i++) codes.push((await sandbox.run(['verify', '--sample', '25%'])).code)
  expect(codes.filter((code) => code === 1)).toHaveLength(1)
  await sandbox.ok(['run'])
  await sandbox.ok(['verify'])
  expect((await sandbox.run(['verify', '--sample', 'some'])).code).toBe(2)
})
