import { lstatSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Sandbox } from './sandbox.ts'

// A tmpfs has every time of 64 bits, which a crafted archive or a broken clock gives to files elsewhere too.
const SECONDS = {
  beyond: 9_400_000_000_000n,
  'year-11000': 300_000_000_000n,
  'before-all': -9_000_000_000_000n,
  titanic: -1_821_649_200n,
  usual: 1_600_000_000n,
  farthest: 2n ** 55n,
}
const sandbox = new Sandbox()
const [tree, target] = [sandbox.path('tree'), sandbox.path('target')]
const phrase = ['--phrase-file', 'phrase']

const secondsOf = (root: string) =>
  Object.fromEntries(
    Object.keys(SECONDS).map((name) => [
      name,
      lstatSync(join(root, name), { bigint: true }).mtimeNs / 1_000_000_000n,
    ]),
  )

beforeAll(async () => {
  for (const path of [tree, target]) {
    mkdirSync(path)
    await execa('mount', ['-t', 'tmpfs', 'tmpfs', path])
  }
  for (const [name, seconds] of Object.entries(SECONDS)) {
    writeFileSync(join(tree, name), name)
    await execa('touch', ['-d', `@${seconds}`, join(tree, name)])
  }
  sandbox.configure({
    sources: [{ type: 'files', name: 'tree', paths: [tree] }],
    sinks: sandbox.sinks('one'),
    copies: 1,
  })
  await sandbox.ok(['init', '--phrase-out', 'phrase'])
  await sandbox.ok(['run'])
})
afterAll(async () => {
  for (const path of [tree, target]) await execa('umount', [path])
  sandbox[Symbol.dispose]()
})

test('lists show far times as numbers', async () => {
  for (const args of [
    ['ls', 'latest', 'tree'],
    ['ls', 'latest', 'tree', '--json'],
    ['find', '**', '--json'],
    ['find', '**'],
  ]) {
    const out = (await sandbox.ok([...args, ...phrase])).toString()
    expect(out).toContain('beyond')
    expect(out).not.toMatch(/NaN|Invalid/)
  }
  const long = (await sandbox.ok(['ls', 'latest', 'tree', ...phrase])).toString()
  expect(long).toMatch(/@9400000000000 +tree/)
})

test('a restore sets the nearest time that it can, and says so in one line', async () => {
  const { code, err } = await sandbox.run(['restore', 'latest', ...phrase, '--quiet', '--to', 'target'])
  expect([code, err.trimEnd().split('\n')]).toEqual([
    1,
    [expect.stringMatching(/before-all: not restored: the modification time of 3 entries, this the first/)],
  ])
  expect(secondsOf(join(target, 'tree', tree))).toEqual({
    ...SECONDS,
    beyond: 8_640_000_000_000n,
    farthest: 8_640_000_000_000n,
    'before-all': -8_640_000_000_000n,
  })
})

test('a tar has far times exactly, up to 140 million years', async () => {
  const tar = await sandbox.ok(['restore', 'latest', 'tree', ...phrase])
  mkdirSync(join(target, 'tar'))
  await execa('tar', ['-xpf', '-'], { cwd: join(target, 'tar'), input: tar })
  // The most that a manifest holds.
  const farthest = 2n ** 52n - 1n
  expect(secondsOf(join(target, 'tar/tree', tree))).toEqual({ ...SECONDS, farthest })
})
