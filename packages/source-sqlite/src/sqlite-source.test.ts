import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setImmediate } from 'node:timers/promises'
import type { SourceProblem } from '@pipe-backup/source'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { checkSqlite } from './check-sqlite.ts'
import { sqlite } from './sqlite-source.ts'
import { bytesOf, copiesOf, type JournalMode, makeBank, numberOf } from './test-support/databases.ts'

const root = mkdtempSync(join(tmpdir(), 'sqlite-'))
afterAll(() => rmSync(root, { recursive: true }))

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(root, 'test-'))
})
const at = (name: string): string => join(directory, name)

function restored(copy: Buffer): DatabaseSync {
  rmSync(at('restored.db'), { force: true })
  writeFileSync(at('restored.db'), copy)
  return new DatabaseSync(at('restored.db'))
}

test.for<JournalMode>(['wal', 'delete', 'truncate', 'persist'])(
  'while another process writes, in journal mode %s, a copy is whole and has all that was committed before',
  async (journal) => {
    makeBank(at('bank.db'), journal).close()
    const writer = spawn(
      process.execPath,
      [join(import.meta.dirname, 'test-support/writer.ts'), at('bank.db')],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    )
    let committed = 0
    writer.stdout.setEncoding('utf8').on('data', (lines: string) => {
      committed = Number(lines.trimEnd().split('\n').at(-1))
    })
    try {
      await once(writer.stdout, 'data')
      for (let round = 0; round < 3; round++) {
        const before = committed
        const [copy = Buffer.alloc(0)] = await copiesOf([at('bank.db')])
        using found = restored(copy)
        expect(found.prepare('PRAGMA integrity_check').all()).toEqual([{ integrity_check: 'ok' }])
        const last = numberOf(found, 'SELECT max(id) FROM moves')
        expect(last).toBeGreaterThanOrEqual(before)
        expect(numberOf(found, 'SELECT count(*) FROM moves')).toBe(last)
        expect(numberOf(found, 'SELECT sum(amount) FROM accounts')).toBe(100_000)
        expect(numberOf(found, 'SELECT count(*) FROM filler')).toBe(2000)
        // It was not stopped by the copy: it goes on.
        while (committed <= last) await once(writer.stdout, 'data')
      }
    } finally {
      writer.kill('SIGKILL')
      await once(writer, 'exit')
    }
  },
)

test('what is in the write-ahead log alone is in the copy, and a checkpoint in between changes nothing', async () => {
  using bank = makeBank(at('bank.db'), 'wal')
  bank.exec('PRAGMA wal_checkpoint(TRUNCATE); INSERT INTO moves (amount) VALUES (41)')
  for await (const entry of sqlite({ paths: [at('bank.db')] })) {
    if (entry.type !== 'file') continue
    const reader = await entry.open()
    bank.exec('UPDATE accounts SET amount = 0; PRAGMA wal_checkpoint(TRUNCATE)')
    const copy = Buffer.alloc(20_000_000)
    let length = 0
    for (let got = 1; got > 0; length += got) got = await reader.read(copy.subarray(length))
    await reader.finish()
    using found = restored(copy.subarray(0, length))
    expect(numberOf(found, 'SELECT amount FROM moves')).toBe(41)
    expect(numberOf(found, 'SELECT sum(amount) FROM accounts')).toBe(100_000)
  }
})

test('pages that did not change are the same bytes in the next copy', async () => {
  using bank = makeBank(at('bank.db'), 'wal')
  const [first = Buffer.alloc(0)] = await copiesOf([at('bank.db')])
  bank.exec('UPDATE accounts SET amount = amount + 1 WHERE id = 7')
  const [second = Buffer.alloc(0)] = await copiesOf([at('bank.db')])
  expect(second.length).toBe(first.length)
  let changed = 0
  for (let page = 0; page < first.length; page += 4096)
    if (!first.subarray(page, page + 4096).equals(second.subarray(page, page + 4096))) changed++
  expect(changed).toBe(1)
})

test('no file with a name ever holds what is in the database, and nothing is left', async () => {
  using _ = makeBank(at('bank.db'), 'wal', 10_000)
  mkdirSync(at('tmp'), { mode: 0o700 })
  const before = process.env['TMPDIR']
  process.env['TMPDIR'] = at('tmp')
  try {
    let looks = 0
    let isOver = false
    const watching = (async () => {
      for (; !isOver; await setImmediate()) {
        for (const name of readdirSync(at('tmp'), { recursive: true, encoding: 'utf8' })) {
          const path = join(at('tmp'), name)
          let bytes = Buffer.alloc(0)
          try {
            bytes = readFileSync(path)
          } catch {
            continue
          }
          looks++
          expect(bytes.includes('secret')).toBe(false)
        }
      }
    })()
    const [copy = Buffer.alloc(0)] = await copiesOf([at('bank.db')]).finally(() => {
      isOver = true
    })
    await watching
    expect(copy.includes('secret')).toBe(true)
    expect(looks).toBeGreaterThan(0)
    expect(readdirSync(at('tmp'))).toEqual([])
  } finally {
    if (before === undefined) delete process.env['TMPDIR']
    else process.env['TMPDIR'] = before
  }
})

const BROKEN: readonly (readonly [name: string, make: (path: string) => void, message: RegExp])[] = [
  ['missing', () => undefined, /broken\.db is not there$/],
  ['a directory', (path) => mkdirSync(path), /broken\.db is no file$/],
  [
    'text',
    (path) => writeFileSync(path, 'no database, but text. '.repeat(500)),
    /no SQLite database, or an encrypted one/,
  ],
  [
    'encrypted',
    (path) => writeFileSync(path, Buffer.alloc(65_536, 0xc7)),
    /no SQLite database, or an encrypted one/,
  ],
  ['cut off', (path) => corrupt(path, (bytes) => bytes.subarray(0, 40_000)), /broken\.db is corrupt/],
  [
    'with a page that is not its own',
    (path) => corrupt(path, (bytes) => bytes.fill(0x5a, 40_960, 45_056)),
    /broken\.db is corrupt/,
  ],
]

function corrupt(path: string, change: (bytes: Buffer) => Uint8Array): void {
  makeBank(path, 'delete', 200).close()
  writeFileSync(path, change(readFileSync(path)))
}

test.for(BROKEN)('a database that is %s fails in one line, and alone', async ([, make, message]) => {
  makeBank(at('good.db'), 'delete', 10).close()
  make(at('broken.db'))
  const failure: unknown = await copiesOf([at('broken.db')]).catch((error: unknown) => error)
  expect(failure).toMatchObject({ code: 'command-failed', message: expect.stringMatching(message) })
  expect(String(failure)).not.toContain('\n')
  const problems: SourceProblem[] = []
  const good: string[] = []
  for await (const entry of sqlite({ paths: [at('good.db'), at('broken.db')] })) {
    if (entry.type !== 'file') continue
    const path = Buffer.from(entry.path).toString()
    await bytesOf(entry).then(
      () => good.push(path),
      ({ code, message: text }: SourceProblem) => problems.push({ code, path, message: text }),
    )
  }
  expect(good).toEqual([at('good.db').slice(1)])
  expect(problems).toMatchObject([{ code: 'unreadable', path: at('broken.db').slice(1) }])
})

test('a database that stays locked fails in one line, and waiting for it can be given up', async () => {
  using bank = makeBank(at('bank.db'), 'delete')
  bank.exec('BEGIN EXCLUSIVE')
  await expect(copiesOf([at('bank.db')], { lockMs: 1 })).rejects.toMatchObject({
    code: 'command-failed',
    message: expect.stringMatching(/bank\.db is locked by another program/),
  })
  const reason = new Error('given up')
  const controller = new AbortController()
  const waiting = copiesOf([at('bank.db')], { signal: controller.signal })
  setTimeout(() => controller.abort(reason), 50)
  await expect(waiting).rejects.toBe(reason)
  bank.exec('ROLLBACK')
  expect(await copiesOf([at('bank.db')], { lockMs: 1 })).toHaveLength(1)
})

test('a check names what can be read and what can not, and needs no copy', async () => {
  using _ = makeBank(at('bank.db'), 'wal')
  writeFileSync(at('text.db'), 'no database, but text. '.repeat(500))
  const found = await checkSqlite({ paths: [at('bank.db'), at('text.db'), at('none.db')] })
  expect(found.databases).toEqual([at('bank.db')])
  expect(found.largestBytes).toBeGreaterThan(5_000_000)
  expect(found.problems).toEqual([
    expect.stringMatching(/text\.db is no SQLite database/),
    expect.stringMatching(/none\.db is not there/),
  ])
})
