import { spawnSync } from 'node:child_process'
import { chmodSync, lstatSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { attempt, Refusals } from './refusals.ts'
import { MTIME_NS } from './test-support/entries.ts'

const CHILD = join(import.meta.dirname, 'test-support/extract-child.ts')

test.for(['here', 'by-threads'])(
  'root without the right to give files away has their bytes all the same, %s',
  (way) => {
    const target = mkdtempSync(join(tmpdir(), 'extract-refused-'))
    chmodSync(target, 0o755)
    try {
      const entries = ['d:750:1000 d', 'f:4755:1000 d/program', 'f:640:1001 d/f', 'f:644:0 own']
      const child = [
        process.execPath,
        '--conditions=pipe-backup-src',
        CHILD,
        way,
        target,
        'always',
        ...entries,
      ]
      const { stdout } = spawnSync(
        'setpriv',
        ['--bounding-set', '-chown', '--inh-caps', '-chown', ...child],
        {
          encoding: 'utf8',
        },
      )
      expect(JSON.parse(stdout)).toMatchObject({
        entries: 4,
        problems: 1,
        lines: [
          expect.stringMatching(
            /^d.*: not restored: the owner, operation not permitted \(EPERM\); of 3 entries, this the first$/,
          ),
        ],
      })
      const look = (name: string) => lstatSync(join(target, name), { bigint: true })
      // Nobody is lent the rights of root.
      expect(
        [look('d'), look('d/program'), look('d/f')].map(({ uid, mode }) => [uid, mode & 0o7777n]),
      ).toEqual([
        [0n, 0o750n],
        [0n, 0o755n],
        [0n, 0o640n],
      ])
      expect(look('d/f').mtimeNs).toBe(MTIME_NS)
      expect(readFileSync(join(target, 'd/f'), 'utf8')).toBe('content')
    } finally {
      rmSync(target, { recursive: true })
    }
  },
)

test('what is no refusal is thrown, and refusals are counted by part and reason', () => {
  const full = Object.assign(new Error('no space'), { code: 'ENOSPC', errno: -28, syscall: 'write' })
  expect(() =>
    attempt('mode', () => {
      throw full
    }),
  ).toThrow(full)
  const refusal = attempt('mode', () => {
    throw Object.assign(new Error('no'), { code: 'EPERM', errno: -1, syscall: 'fchmod' })
  })
  const refusals = new Refusals()
  if (refusal) for (const path of ['a', 'b']) refusals.add(Buffer.from(path), refusal)
  expect([...refusals.problems()]).toEqual([
    {
      code: 'unreadable',
      path: 'a',
      message: 'not restored: the mode, operation not permitted (EPERM); of 2 entries, this the first',
    },
  ])
})
