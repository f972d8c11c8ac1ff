import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { execa } from 'execa'
import { expect, test } from 'vitest'
import { Sandbox } from './sandbox.ts'

const HERE = resolve(import.meta.dirname, '..')

test('the plain pipe of the README runs as it stands, and gives back what went in', async () => {
  using sandbox = new Sandbox()
  const readme = readFileSync(resolve(HERE, '../../README.md'), 'utf8')
  const code = /```ts\n([^]*?)```/.exec(readme)?.[1]
  if (!code) throw new Error('the README has no plain pipe')
  mkdirSync(sandbox.path('notes'))
  writeFileSync(sandbox.path('notes/one'), 'first note')
  writeFileSync(sandbox.path('notes/two'), Buffer.alloc(3_000_000, 'second note '))
  // Evaluated in this workspace, so that the packages' names resolve; run in the sandbox.
  const { stdout } = await execa(
    process.execPath,
    [
      '--conditions=pipe-backup-src',
      '--input-type=module',
      '--eval',
      `process.chdir(${JSON.stringify(sandbox.root)});\n${code.replaceAll(/^import .*$/gm, (line) => line)}`,
    ],
    {
      cwd: HERE,
      encoding: 'buffer',
      stripFinalNewline: false,
    },
  )
  mkdirSync(sandbox.path('out'))
  await execa('tar', ['-xf', '-'], { cwd: sandbox.path('out'), input: stdout })
  for (const name of ['one', 'two']) {
    expect(
      readFileSync(sandbox.path('out', sandbox.root, 'notes', name)).equals(
        readFileSync(sandbox.path('notes', name)),
      ),
    ).toBe(true)
  }
  const copies = ['a', 'b', 'c'].map((name) => readFileSync(sandbox.path('backups', name, 'notes.tar.pb')))
  for (const copy of copies) {
    expect(copy.equals(copies[0] ?? Buffer.alloc(0))).toBe(true)
    expect(copy.includes('second note')).toBe(false)
  }
})
