import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
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
    '--in-place',
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
    [['--in-place', '--to', 'out'], "'--in-place' cannot be used with option '--to"],
    [['--include', '..', '--to', 'out'], '".." is no pattern'],
    [['--to', ''], '--to is empty'],
  ] as const) {
    const refused = await sandbox.run(['restore', 'latest', '--phrase-file', 'phrase', ...more])
    expect([refused.code, refused.err]).toEqual([2, expect.stringContaining(said)])
  }
  rmSync(sandbox.path('tree/lost'), { recursive: true })
  mkdirSync(sandbox.path('tree/lost'))
  const blocked = await sandbox.run([...inPlace, '--dry-run'])
  expect([blocked.code, blocked.out.toString()]).toEqual([1, expect.stringContaining(`! ${at('lost')}`)])
})

test('what is of no files source has no place to go back to, and what matches nothing is no success', async () => {
  using sandbox = new Sandbox()
  mkdirSync(sandbox.path('tree/cache'), { recursive: true })
  for (const name of ['a.json', 'cache/b.json', 'c.txt']) writeFileSync(sandbox.path('tree', name), name)
  linkSync(sandbox.path('tree/a.json'), sandbox.path('tree/linked.json'))
  sandbox.configure({
    sources: [
      { type: 'files', name: 'tree', paths: [sandbox.path('tree')] },
      { type: 'command', name: 'dump', run: ['echo', 'rows'], path: 'dump.sql' },
    ],
    sinks: sandbox.sinks('one'),
  })
  await sandbox.ok(['init', '--phrase-out', 'phrase'])
  await sandbox.ok(['run'])
  const restore = async (...args: string[]) =>
    await sandbox.run(['restore', 'latest', ...args, '--phrase-file', 'phrase'])
  rmSync(sandbox.path('tree'), { recursive: true })

  const all = await restore('--in-place')
  expect([all.code, all.err]).toEqual([3, expect.stringContaining('source "dump" is left out')])
  expect(readFileSync(sandbox.path('tree/cache/b.json'), 'utf8')).toBe('cache/b.json')
  const none = await restore('dump', '--in-place')
  expect([none.code, none.err]).toEqual([2, expect.stringContaining('has no place to go back to')])

  // The file that it is another name of is left out: it comes as a file.
  expect(
    await restore('--include', '*.json', '--exclude', 'cache', '--exclude', 'a.json', '--to', 'out'),
  ).toMatchObject({
    code: 0,
  })
  const at = (name: string) => sandbox.path(`out/tree${sandbox.path('tree')}`, name)
  expect(readFileSync(at('linked.json'), 'utf8')).toBe('a.json')
  for (const name of ['a.json', 'cache', 'c.txt']) expect(existsSync(at(name))).toBe(false)
  const nothing = await restore('--include', '*.gone', '--to', 'out')
  expect([nothing.code, nothing.err]).toEqual([
    1,
    expect.stringContaining('leave nothing of what was asked for'),
  ])

  writeFileSync(at('linked.json'), 'mine')
  expect(await restore('--to', 'out', '--overwrite', 'never', '--json')).toMatchObject({ code: 0 })
  expect([readFileSync(at('linked.json'), 'utf8'), existsSync(at('c.txt'))]).toEqual(['mine', true])
})

test('what is restored in part is in directories as they were, and those that are there stay as they are', async () => {
  using sandbox = new Sandbox()
  mkdirSync(sandbox.path('tree/secret/deep'), { recursive: true })
  writeFileSync(sandbox.path('tree/secret/deep/id'), 'key')
  writeFileSync(sandbox.path('tree/other'), 'other')
  chmodSync(sandbox.path('tree/secret'), 0o700)
  utimesSync(sandbox.path('tree/secret'), 1e9, 1e9)
  sandbox.configure({
    sources: [{ type: 'files', name: 'tree', paths: [sandbox.path('tree')] }],
    sinks: sandbox.sinks('one'),
  })
  await sandbox.ok(['init', '--phrase-out', 'phrase'])
  await sandbox.ok(['run'])
  const phrase = ['--phrase-file', 'phrase']
  const modeOf = (...path: string[]) => (statSync(sandbox.path(...path)).mode & 0o777).toString(8)

  rmSync(sandbox.path('tree/secret'), { recursive: true })
  chmodSync(sandbox.path('tree'), 0o711)
  const restored = await sandbox.ok(['restore', 'latest', '--include', 'id', '--in-place', ...phrase])
  expect(restored.toString()).toContain('restored 1 entry, 3 B')
  expect([modeOf('tree'), modeOf('tree/secret')]).toEqual(['711', '700'])
  expect(statSync(sandbox.path('tree/secret')).mtimeMs).toBe(1e12)

  const path = `tree${sandbox.path('tree/secret/deep')}`
  await sandbox.ok(['restore', 'latest', path, '--to', 'out', ...phrase])
  expect(modeOf(`out/tree${sandbox.path('tree/secret')}`)).toBe('700')

  const typo = ['restore', 'latest', '--include', 'id', '--include', 'idd', '--to', 'typo', ...phrase]
  expect(await sandbox.run(typo)).toMatchObject({
    code: 1,
    err: expect.stringContaining('--include "idd" matches nothing'),
  })
})

test('--strip reports what becomes the same path, what it leaves nothing of, and nothing at all', async () => {
  using sandbox = new Sandbox()
  for (const month of ['01', '02']) {
    mkdirSync(sandbox.path('tree', month), { recursive: true })
    writeFileSync(sandbox.path('tree', month, 'report'), month)
  }
  writeFileSync(sandbox.path('tree/top'), 'top')
  sandbox.configure({
    sources: [{ type: 'files', name: 'tree', paths: ['tree'] }],
    sinks: sandbox.sinks('one'),
  })
  await sandbox.ok(['init', '--phrase-out', 'phrase'])
  await sandbox.ok(['run'])
  const depth = sandbox.path('tree').split('/').length
  const restore = (strip: number, ...more: string[]) =>
    sandbox.run(['restore', 'latest', '--strip', String(strip), ...more, '--phrase-file', 'phrase'])

  const same = await restore(depth + 1, '--to', 'same')
  expect([same.code, same.err]).toEqual([
    1,
    expect.stringMatching(
      /tree\/02\/report: not restored: another entry becomes report[^]*warning: 1 entry left out: no more than/,
    ),
  ])
  expect(readFileSync(sandbox.path('same/report'), 'utf8')).toBe('01')
  const tar = await restore(depth + 1)
  expect([tar.code, tar.err]).toEqual([1, expect.stringContaining('02/report: not restored')])
  expect(await restore(depth, '--to', 'whole')).toMatchObject({ code: 0, err: '' })
  const left = await restore(depth + 1, '--exclude', '02', '--to', 'left')
  expect([left.code, left.err]).toEqual([3, expect.stringContaining('1 entry left out')])
  const none = await restore(40, '--to', 'none')
  expect([none.code, none.err]).toEqual([1, expect.stringContaining('--strip 40 leaves nothing')])
})
