import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Sandbox } from './sandbox.ts'

interface Listed {
  readonly id: string
  readonly time: string
  readonly hostId: string
}

const sandbox = new Sandbox()
let all: readonly Listed[] = []

async function snapshots(...args: string[]): Promise<Listed[]> {
  const out = (await sandbox.ok(['snapshots', '--json', ...args])).toString()
  return out
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))
}

function configure(host: string): void {
  sandbox.configure({
    host,
    sources: [
      { type: 'files', name: 'tree', paths: ['tree'] },
      { type: 'command', name: 'words', run: ['echo', 'hello'], path: 'words.txt' },
    ],
    sinks: sandbox.sinks('one'),
  })
}

beforeAll(async () => {
  mkdirSync(sandbox.path('tree'))
  writeFileSync(sandbox.path('tree/f'), 'f')
  configure('first-host')
  await sandbox.ok(['init', '--phrase-out', 'phrase'])
  await sandbox.ok(['run'])
  await sandbox.ok(['run', '--source', 'words'])
  configure('second-host')
  await sandbox.ok(['init', '--phrase-file', 'phrase'], { machine: 'other' })
  await sandbox.ok(['run', '--source', 'tree'], { machine: 'other' })
  all = await snapshots()
})
afterAll(() => sandbox[Symbol.dispose]())

const at = (...numbers: number[]) => numbers.map((number) => all[number]?.id)
const ids = async (...args: string[]) => (await snapshots(...args)).map(({ id }) => id)

test('snapshots are chosen by source, host and time, and by all of these at once', async () => {
  expect(all).toHaveLength(3)
  const middle = all[1]?.time ?? ''
  expect(await ids('--source', 'words')).toEqual(at(0, 1))
  expect(await ids('--source', 'words', '--source', 'tree')).toEqual(at(0, 1, 2))
  expect(await ids('--host', 'second-host')).toEqual(at(2))
  expect(await ids('--host', all[0]?.hostId.slice(0, 8) ?? '')).toEqual(at(0, 1))
  expect(await ids('--since', middle)).toEqual(at(1, 2))
  expect(await ids('--before', middle)).toEqual(at(0))
  expect(await ids('--source', 'tree', '--since', middle)).toEqual(at(2))
})

test('a date alone means its first moment', async () => {
  expect(await ids('--since', '2001-01-01', '--before', '2999-01-01')).toEqual(at(0, 1, 2))
  expect(await ids('--before', '2001-01-01')).toEqual([])
})

test('a person reads the same, and what nothing matches is said and no failure', async () => {
  const table = (await sandbox.ok(['snapshots', '--host', 'second-host'])).toString().trim().split('\n')
  expect(table).toHaveLength(2)
  expect(table[1]).toContain(`${all[2]?.id}  `)
  const { code, out, err } = await sandbox.run(['snapshots', '--source', 'wrods'])
  expect([code, out.length]).toEqual([0, 0])
  expect(err).toContain(
    'none of 3 snapshots matches: hosts are first-host, second-host; sources are tree, words',
  )
})

test('what is no time is refused', async () => {
  const { code, err } = await sandbox.run(['snapshots', '--since', 'yesterday'])
  expect([code, err.includes('--since: "yesterday" is not a time')]).toEqual([2, true])
})

test('a snapshot that opens on no sink is named, and what is shown without it is not all', async () => {
  const [first] = JSON.parse(`[${(await sandbox.ok(['snapshots', '--json'])).toString().split('\n')[0]}]`)
  const file = sandbox.path('sinks/one', first.key)
  const whole = readFileSync(file)
  writeFileSync(file, whole.subarray(0, 100))
  const phrase = ['--phrase-file', 'phrase']
  try {
    for (const args of [
      ['snapshots'],
      ['find', 'f', ...phrase],
      ['history', `tree${sandbox.path('tree/f')}`, ...phrase],
    ]) {
      const { code, err } = await sandbox.run(args)
      expect([code, err]).toEqual([
        3,
        expect.stringContaining(
          `1 snapshot can't be opened on any sink, and what is shown is without: ${first.key}`,
        ),
      ])
    }
    expect((await sandbox.run(['find', 'f', ...phrase, '--snapshot', 'latest'])).code).toBe(0)
  } finally {
    writeFileSync(file, whole)
  }
  await sandbox.ok(['find', 'f', ...phrase])
})
