import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { Mounted } from './mounted.ts'
import { Sandbox } from './sandbox.ts'

const SINKS = ['one', 'two']

/** A vault with so many snapshots; of the last, the tags of the run. */
async function open(
  count: number,
  more: object = {},
): Promise<{ sandbox: Sandbox; ids: string[] } & Disposable> {
  const sandbox = new Sandbox()
  mkdirSync(sandbox.path('tree'))
  sandbox.configure({
    sources: [{ type: 'files', name: 'tree', paths: ['tree'] }],
    sinks: sandbox.sinks(...SINKS),
    keep: { last: 1 },
    grace: '0s',
    ...more,
  })
  await sandbox.ok(['init', '--phrase-out', 'phrase'])
  const ids: string[] = []
  for (let i = 0; i < count; i++) {
    writeFileSync(sandbox.path('tree/f'), String(i))
    ids.push(JSON.parse((await sandbox.ok(['run', '--json'])).toString()).snapshot)
  }
  return { sandbox, ids, [Symbol.dispose]: () => sandbox[Symbol.dispose]() }
}

async function json(sandbox: Sandbox, ...args: string[]): Promise<Record<string, unknown>[]> {
  const out = (await sandbox.ok([...args, '--json'])).toString()
  return out
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))
}

test('a pinned snapshot outlives `keep`, which says why it stays; unpinned it goes', async () => {
  using opened = await open(3)
  const { sandbox, ids } = opened
  const [first = '', second = '', third = ''] = ids
  expect((await sandbox.ok(['pin', first])).toString()).toBe(`${first} is pinned, without tags\n`)
  expect((await sandbox.ok(['pin', first])).toString()).toBe(`${first} already is pinned, without tags\n`)
  expect(await json(sandbox, 'prune', '--dry-run', '--force')).toMatchObject([
    { removed: [second], kept: 2, pinned: [first], keeps: { [first]: ['pinned'] } },
  ])
  const pruned = (await sandbox.ok(['prune', '--force'])).toString()
  expect(pruned).toMatch(new RegExp(`^${first} .*stays: pinned$`, 'm'))
  expect((await json(sandbox, 'snapshots')).map(({ id, pinned }) => [id, pinned])).toEqual([
    [first, true],
    [third, false],
  ])
  expect((await sandbox.ok(['snapshots'])).toString()).toMatch(/\[tree\] {2}pinned$/m)
  await sandbox.ok(['unpin', first])
  expect(await json(sandbox, 'prune', '--force')).toMatchObject([{ removed: [first], pinned: [] }])
  await sandbox.ok(['prune'])
  for (const sink of SINKS) expect(readdirSync(sandbox.path('sinks', sink, 'marks'))).toEqual([])
  await sandbox.ok(['verify', '--deep', '--phrase-file', 'phrase'])
})

test('snapshots are found by their tags, those of `run --tag` too', async () => {
  using opened = await open(1)
  const { sandbox, ids } = opened
  await sandbox.ok(['run', '--tag', 'nightly', '--tag', 'before the move'])
  await sandbox.ok(['tag', ids[0] ?? '', 'release', 'nightly'])
  const tagged = async (...args: string[]) =>
    (await json(sandbox, 'snapshots', ...args)).map(({ tags }) => tags)
  const both = [
    ['nightly', 'release'],
    ['before the move', 'nightly'],
  ]
  expect(await tagged('--tag', 'nightly')).toEqual(both)
  expect(await tagged('--tag', 'release', '--tag', 'before the move')).toEqual(both)
  // The last one with the tag, and not the last one.
  writeFileSync(sandbox.path('tree/f'), 'newest')
  await sandbox.ok(['run'])
  const phrase = ['--phrase-file', 'phrase']
  const file = `tree${sandbox.path('tree/f')}`
  expect((await sandbox.ok(['cat', 'latest', file, ...phrase, '--tag', 'release'])).toString()).toBe('0')
  expect((await sandbox.ok(['cat', 'latest', file, ...phrase])).toString()).toBe('newest')
  const absent = await sandbox.run(['ls', 'latest', ...phrase, '--tag', 'absent'])
  expect([absent.code, absent.err]).toEqual([2, expect.stringContaining('none of 3 snapshots matches')])
  await sandbox.ok(['restore', 'latest', ...phrase, '--tag', 'release', '--to', 'restored'])
  expect(readFileSync(sandbox.path('restored', file), 'utf8')).toBe('0')
  await sandbox.ok(['untag', ids[0] ?? '', 'nightly'])
  expect(await tagged('--tag', 'nightly')).toEqual([both[1]])
  await sandbox.ok(['tag', ids[0] ?? '', 'release', '--remove'])
  expect((await sandbox.ok(['snapshots'])).toString()).toMatch(/\[tree\] {2}#before the move {2}#nightly$/m)
  const { err } = await sandbox.run(['snapshots', '--tag', 'release'])
  expect(err).toContain('none of 3 snapshots matches')
  expect(err).toContain('tags are before the move, nightly')
  await sandbox.ok(['verify'])
})

test('what reads takes the snapshots with a tag alone', async () => {
  using opened = await open(3)
  const { sandbox, ids } = opened
  const phrase = ['--phrase-file', 'phrase', '--tag', 'kept']
  for (const id of ids.slice(0, 2)) await sandbox.ok(['tag', id, 'kept'])
  const file = `tree${sandbox.path('tree/f')}`
  const found = await json(sandbox, 'find', 'f', ...phrase)
  expect(new Set(found.flatMap(({ snapshots }) => snapshots))).toEqual(new Set(ids.slice(0, 2)))
  const versions = await json(sandbox, 'history', file, ...phrase)
  expect(versions.flatMap(({ snapshots }) => snapshots)).toEqual([ids[0], ids[1]])
  expect((await json(sandbox, 'diff', 'latest~1', 'latest', ...phrase)).at(-1)).toMatchObject({
    before: ids[0],
    after: ids[1],
  })
  expect(await json(sandbox, 'verify', '--drill', ...phrase)).toMatchObject([
    { snapshot: ids[1], exitCode: 0 },
  ])
  const mounted = await Mounted.start(sandbox, '--tag', 'kept')
  try {
    expect((await mounted.curl(`latest/${file}`)).body.toString()).toBe('1')
    const { body } = await mounted.curl('by-id/', '-X', 'PROPFIND', '-H', 'Depth: 1')
    expect(
      body
        .toString()
        .match(/[0-9a-f]{16}(?=\/<)/g)
        ?.toSorted(),
    ).toEqual(ids.slice(0, 2).toSorted())
  } finally {
    await mounted[Symbol.asyncDispose]()
  }
  const { code, err } = await sandbox.run(['verify', '--tag', 'kept'])
  expect([code, err]).toEqual([2, expect.stringContaining('--tag is for --drill')])
})

test.for([[['tag', 'latest', 'a,b']], [['tag', 'latest', ' ']], [['run', '--tag', '']]])(
  '%j is refused in one line, and changes nothing',
  async ([args]) => {
    using opened = await open(1)
    const { sandbox } = opened
    const { code, err } = await sandbox.run(args ?? [])
    expect(code).toBe(2)
    expect(err).toMatch(/^pipe-backup: ".*" is no tag\n.*A tag has 1 to 128 bytes/)
    expect(await json(sandbox, 'snapshots')).toHaveLength(1)
  },
)

test('forget removes what is named on all sinks, but nothing pinned, and no newest good snapshot', async () => {
  using opened = await open(3, { keep: { last: 10 } })
  const { sandbox, ids } = opened
  const [first = '', second = '', third = ''] = ids
  await sandbox.ok(['pin', first])
  const refused = await sandbox.run(['forget', first, second])
  expect([refused.code, refused.err]).toEqual([1, expect.stringContaining(`${first} is pinned`)])
  const newest = await sandbox.run(['forget', 'latest'])
  expect([newest.code, newest.err]).toEqual([
    1,
    expect.stringContaining(`${third} is the newest good snapshot of source "tree"`),
  ])
  const absent = await sandbox.run(['forget', 'ffff', second])
  expect([absent.code, absent.err]).toEqual([1, expect.stringContaining('there is no snapshot "ffff"')])
  const dry = await sandbox.ok(['forget', second, '--dry-run'])
  expect(dry.toString()).toMatch(new RegExp(`^${second} .*would go$`, 'm'))
  expect(await json(sandbox, 'snapshots')).toHaveLength(3)

  expect(await json(sandbox, 'forget', second)).toMatchObject([{ removed: [second], kept: 2, exitCode: 0 }])
  expect(await json(sandbox, 'forget', first, '--force')).toMatchObject([{ removed: [first], kept: 1 }])
  for (const sink of SINKS)
    expect((await json(sandbox, 'snapshots', '--from', sink)).map(({ id }) => id)).toEqual([third])
  const none = await sandbox.run(['forget', third, '--force'])
  expect([none.code, none.err]).toEqual([1, expect.stringContaining('no snapshot at all would be left')])
  // What `keep` would have kept does not come back.
  await sandbox.ok(['heal'])
  await sandbox.ok(['prune'])
  expect(await json(sandbox, 'snapshots')).toHaveLength(1)
  await sandbox.ok(['verify', '--deep', '--phrase-file', 'phrase'])
})

test('a host that may write alone pins and tags, and forgets nothing', async () => {
  using opened = await open(2)
  const { sandbox, ids } = opened
  await sandbox.ok(['init', '--phrase-file', 'phrase', '--role', 'write'], { machine: 'other' })
  await sandbox.ok(['pin', ids[0] ?? ''], { machine: 'other' })
  await sandbox.ok(['tag', ids[0] ?? '', 'kept'], { machine: 'other' })
  const refused = await sandbox.run(['forget', ids[0] ?? ''], { machine: 'other' })
  expect([refused.code, refused.err]).toEqual([
    1,
    expect.stringContaining('may write snapshots, and not prune'),
  ])
  await sandbox.ok(['pin', ids[1] ?? ''])
  const foreign = await sandbox.run(['unpin', ids[1] ?? ''], { machine: 'other' })
  expect([foreign.code, foreign.err]).toEqual([1, expect.stringContaining('may not take that back')])
  expect((await json(sandbox, 'unpin', ids[0] ?? ''))[0]).toMatchObject({ pinned: false, tags: ['kept'] })
})

test('a sink that takes no mark is named, and healed later', async () => {
  using opened = await open(1)
  const { sandbox } = opened
  // No directory can be made where a file is, not even by root.
  writeFileSync(sandbox.path('sinks/two/marks'), '')
  const { code, err } = await sandbox.run(['pin', 'latest'])
  rmSync(sandbox.path('sinks/two/marks'))
  expect([code, err]).toEqual([3, expect.stringContaining('sink "two"')])
  await sandbox.ok(['heal'])
  await sandbox.ok(['verify'])
  expect(await json(sandbox, 'snapshots', '--from', 'two')).toMatchObject([{ pinned: true }])
})
