import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { Sandbox } from './sandbox.ts'

/** Two sources whose hooks write down what they find in their environment. */
async function prepared(sandbox: Sandbox, more: object = {}, second: object = {}): Promise<void> {
  const note = (what: string) => [
    'sh',
    '-c',
    `echo "${what} $PIPE_BACKUP_SOURCE $PIPE_BACKUP_OUTCOME" >> '${sandbox.path('notes')}'`,
  ]
  for (const name of ['a', 'b']) {
    mkdirSync(sandbox.path(name))
    writeFileSync(sandbox.path(name, 'file'), name)
  }
  sandbox.configure({
    sources: [
      { type: 'files', name: 'a', paths: ['a'], before: note('before'), after: note('after') },
      { type: 'files', name: 'b', paths: ['b'], before: note('before'), after: note('after'), ...second },
    ],
    sinks: sandbox.sinks('one'),
    before: note('begin'),
    after: note('end'),
    ...more,
  })
  await sandbox.ok(['init', '--phrase-out', 'phrase'])
}
const notes = (sandbox: Sandbox) =>
  readFileSync(sandbox.path('notes'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => line.trim())

test('hooks run around each source and around the run, and get the outcome', async () => {
  using sandbox = new Sandbox()
  await prepared(sandbox)
  await sandbox.ok(['run'])
  expect(notes(sandbox)).toEqual(['begin', 'before a', 'after a ok', 'before b', 'after b ok', 'end  ok'])
})

test('a `before` that fails fails its source alone, and says why; `after` runs all the same', async () => {
  using sandbox = new Sandbox()
  await prepared(sandbox, {}, { before: ['sh', '-c', 'echo the database is locked >&2; exit 3'] })
  const ran = await sandbox.run(['run', '--json'])
  expect(ran.code).toBe(3)
  expect(JSON.parse(ran.out.toString()).sources).toMatchObject([{ state: 'ok' }, { state: 'failed' }])
  expect(ran.err).toContain('its `before` failed: sh exited with 3: the database is locked')
  expect(notes(sandbox)).toEqual(['begin', 'before a', 'after a ok', 'after b failed', 'end  warning'])
})

test('a `before` may leave something running, and print as much as it likes', async () => {
  using sandbox = new Sandbox()
  const leave = `sleep 60 & echo $! > '${sandbox.path('left')}'; seq 400000; echo said enough >&2`
  await prepared(sandbox, {}, { before: ['sh', '-c', leave] })
  const started = performance.now()
  try {
    expect((await sandbox.run(['run', '--verbose'])).err).toContain('400000\nsaid enough')
    expect(performance.now() - started).toBeLessThan(30_000)
    expect(notes(sandbox)).toContain('after b ok')
  } finally {
    process.kill(Number(readFileSync(sandbox.path('left'), 'utf8')))
  }
})

test('when the `before` of the run fails nothing is backed up, and `after` runs', async () => {
  using sandbox = new Sandbox()
  await prepared(sandbox, { before: ['false'] })
  const ran = await sandbox.run(['run'])
  expect(ran.code).toBe(1)
  expect(ran.err).toContain('before: false exited with 1')
  expect(notes(sandbox)).toEqual(['end  failed'])
})

test('a source with `every` is read no more often, and is in every snapshot', async () => {
  using sandbox = new Sandbox()
  await prepared(sandbox, {}, { every: '1d' })
  await sandbox.ok(['run'])
  writeFileSync(sandbox.path('a/file'), 'new a')
  writeFileSync(sandbox.path('b/file'), 'new b')
  await sandbox.ok(['run'])
  const cat = (source: string) =>
    sandbox.ok(['cat', 'latest', `${source}${sandbox.path(source, 'file')}`, '--phrase-file', 'phrase'])
  expect([String(await cat('a')), String(await cat('b'))]).toEqual(['new a', 'b'])
  // Who names it wants it read.
  await sandbox.ok(['run', '--source', 'b'])
  expect(String(await cat('b'))).toBe('new b')
})

test.for([
  ['a hook', { before: ['sleep', '600'] }, 'its `before` failed: sleep said nothing for 1 s, and was ended'],
  [
    'a source',
    { type: 'command', paths: undefined, run: ['sleep', '600'], path: 'out' },
    'nothing has come of it for 1 s',
  ],
] as const)('%s that hangs fails its source alone, when its time is up', async ([, hanging, said]) => {
  using sandbox = new Sandbox()
  await prepared(sandbox, {}, { timeout: '1s', ...hanging })
  const ran = await sandbox.run(['run', '--json'])
  expect(ran.err).toContain(said)
  expect(ran.code).toBe(3)
  expect(JSON.parse(ran.out.toString()).sources).toMatchObject([{ state: 'ok' }, { state: 'failed' }])
  expect(notes(sandbox)).toContain('after b failed')
})
