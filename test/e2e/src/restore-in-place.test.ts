import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { Sandbox } from './sandbox.ts'

test('files go back where they were, after a look at what would change', async () => {
  using sandbox = new Sandbox()
  mkdirSync(sandbox.path('tree'))
  for (const name of ['kept', 'spoilt', 'lost']) writeFileSync(sandbox.path('tree', name), name)
  sandbox.configure({
    sources: [{ type: 'files', name: 'tree', paths: [sandbox.path('tree')] }],
    sinks: sandbox.sinks('one', 'two'),
  })
  await sandbox.ok(['init', '--phrase-out', 'phrase'])
  await sandbox.ok(['run'])
  writeFileSync(sandbox.path('tree/spoilt'), 'something else')
  rmSync(sandbox.path('tree/lost'), { recursive: true })
  writeFileSync(sandbox.path('tree/later'), 'made since')

  const inPlace = [
    'restore',
    'latest',
    `tree${sandbox.path('tree')}`,
    '--to',
    '/',
    '--strip',
    '1',
    '--phrase-file',
    'phrase',
  ]
  const looked = (await sandbox.ok([...inPlace, '--dry-run'])).toString()
  const at = (name: string) => sandbox.path('tree', name).slice(1)
  expect(looked.split('\n').slice(0, 2)).toEqual([`+ ${at('lost')}`, `~ ${at('spoilt')}`])
  expect(looked).toContain('would write 2 entries, 10 B, to /: 1 new (+), 1 in place of others (~)')
  expect(readFileSync(sandbox.path('tree/spoilt'), 'utf8')).toBe('something else')

  await sandbox.ok(inPlace)
  for (const name of ['kept', 'spoilt', 'lost'])
    expect(readFileSync(sandbox.path('tree', name), 'utf8')).toBe(name)
  expect(readFileSync(sandbox.path('tree/later'), 'utf8')).toBe('made since')

  for (const [more, said] of [
    [['--strip', 'x', '--to', 'out'], 'It must be a whole number'],
    [['--dry-run'], '--dry-run needs --to DIR'],
  ] as const) {
    const refused = await sandbox.run(['restore', 'latest', '--phrase-file', 'phrase', ...more])
    expect([refused.code, refused.err]).toEqual([2, expect.stringContaining(said)])
  }
  rmSync(sandbox.path('tree/lost'), { recursive: true })
  mkdirSync(sandbox.path('tree/lost'))
  const blocked = await sandbox.run([...inPlace, '--dry-run'])
  expect([blocked.code, blocked.out.toString()]).toEqual([1, expect.stringContaining(`! ${at('lost')}`)])
})
