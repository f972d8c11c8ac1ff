import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { execa } from 'execa'
import { expect, test } from 'vitest'
import { makeOddTree } from './odd-tree.ts'
import { difference, Sandbox } from './sandbox.ts'

const RECOVER = resolve(import.meta.dirname, '../../recover/recover.py')
// Debian's own, which has Debian's libraries; another python3 may come first on the PATH.
const recover = (args: string[]) => execa('/usr/bin/python3', [RECOVER, ...args], { reject: false })

test('recover.py restores, byte for byte, what the command wrote, from one sink and the phrase', async () => {
  using sandbox = new Sandbox()
  const tree = sandbox.path('tree')
  mkdirSync(tree)
  makeOddTree(tree)
  // Long enough for an extent tree: more than 256 chunks.
  await execa('sh', ['-c', `seq 1 60000000 | head -c 400000000 > ${tree}/huge`])
  sandbox.configure({
    sources: [
      { type: 'files', name: 'tree', paths: [tree] },
      { type: 'command', name: 'words', run: ['echo', 'hello'], path: 'hello.txt' },
    ],
    sinks: sandbox.sinks('one'),
  })
  await sandbox.ok(['init', '--phrase-out', 'phrase'])
  await sandbox.ok(['run'])
  const phrase = ['--phrase-file', sandbox.path('phrase')]
  const sink = sandbox.path('sinks/one')

  const whole = await recover([sink, ...phrase, '--to', sandbox.path('recovered')])
  expect([whole.exitCode, whole.stderr]).toEqual([0, ''])
  expect(await difference(tree, sandbox.path('recovered/tree', tree))).toBe('')
  expect(readFileSync(sandbox.path('recovered/words/hello.txt'), 'utf8')).toBe('hello\n')
  expect((await recover([sink, ...phrase, '--list'])).stdout).toContain('tree:ok words:ok')

  const packs = readdirSync(sandbox.path('sinks/one/packs'), { recursive: true, withFileTypes: true }).filter(
    (entry) => entry.isFile(),
  )
  const largest = packs
    .map((entry) => `${entry.parentPath}/${entry.name}`)
    .sort((a, b) => readFileSync(b).length - readFileSync(a).length)[0]
  await execa('dd', ['if=/dev/zero', `of=${largest}`, 'bs=1k', 'count=1', 'seek=100', 'conv=notrunc'])
  const damaged = await recover([sink, ...phrase, '--to', sandbox.path('damaged')])
  expect(damaged.exitCode).toBe(1)
  expect(damaged.stderr).toContain('not restored')
})
