import { readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { Sandbox } from './sandbox.ts'

test('of a phrase with a slip in it the command says which word is wrong, and opens nothing with it', async () => {
  using sandbox = new Sandbox()
  sandbox.configure({
    sources: [{ type: 'files', name: 'notes', paths: ['phrase'] }],
    sinks: sandbox.sinks('one', 'two'),
  })
  await sandbox.ok(['init', '--phrase-out', 'phrase'])
  const words = readFileSync(sandbox.path('phrase'), 'utf8').trim().split(/\s+/)
  const [third = '', ninth = ''] = [words[2], words[8]]
  const other = third === 'zoo' ? 'abandon' : 'zoo'
  const slips: [string[], string][] = [
    [words.with(2, other), `when word 3 is "${third}"`],
    [words.with(2, 'notaword'), `when word 3 is "${third}"`],
    [words.toSpliced(8, 1), `when "${ninth}" is put in as word 9`],
    [words.toSpliced(8, 0, 'notaword'), 'without word 9'],
  ]
  for (const [slip, said] of slips) {
    writeFileSync(sandbox.path('slip'), slip.join(' '), { mode: 0o600 })
    for (const command of [['key', 'check'], ['ls', 'latest'], ['init']]) {
      const { code, err } = await sandbox.run([...command, '--phrase-file', 'slip'])
      expect([code, err.trim().split('\n').length], command.join(' ')).toEqual([1, 2])
      expect(err).toContain(said)
    }
  }
  await sandbox.ok(['key', 'check', '--phrase-file', 'phrase'])
})
