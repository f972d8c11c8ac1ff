import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parsePathPattern } from './path-pattern.ts'

function matches(pattern: string, source: string, path: string | Uint8Array, isDirectory = false): boolean {
  const parsed = parsePathPattern(pattern)
  return parsed.wantsSource(source) && parsed.matches(Buffer.from(path), isDirectory)
}

test.for([
  ['*.json', 'home/bot/wallet.json', true],
  ['*.json', 'home/wallet.json/x', false],
  ['wallet.json', 'wallet.json', true],
  ['*', 'home/.hidden', true],
  ['wallet/**/*.json', 'home/bot/a.json', true],
  ['wallet/**/*.json', 'a.json', true],
  ['wallet/*.json', 'home/a.json', false],
  ['wallet/home/*.json', 'home/a.json', true],
  ['w*/home/*.json', 'home/a.json', true],
  ['other/home/*.json', 'home/a.json', false],
  ['**/home/*.json', 'srv/home/a.json', true],
  ['/home/*.json', 'home/a.json', true],
  ['/home/*.json', 'srv/home/a.json', false],
  ['/home/**', 'home', false],
  ['/home/**', 'home/a/b', true],
  ['wallet/', 'wallet', false],
  ['wallet/**', 'a/b', true],
  ['**/**/b', 'a/b', true],
  ['*.JSON', 'a.json', false],
] as const)('%s on wallet/%s: %s', ([pattern, path, expected]) => {
  expect(matches(pattern, 'wallet', path)).toBe(expected)
})

test('a slash at the end means directories alone', () => {
  expect([matches('cache/', 's', 'a/cache', true), matches('cache/', 's', 'a/cache')]).toEqual([true, false])
})

test('only what can be below the beginning of a path is to be read', () => {
  const below = (pattern: string) => {
    const path = parsePathPattern(pattern).below
    return path && Buffer.from(path).toString()
  }
  expect(below('wallet/home/bot/*.json')).toBe('home/bot')
  expect(below('/home/**/x')).toBe('home')
  expect(below('wallet/home/a\\*b')).toBe('home/a*b')
  expect(below('wallet/é/x')).toBe('é/x')
  expect([below('home'), below('wallet'), below('**/home/x'), below('w/*/x')]).toEqual([
    undefined,
    undefined,
    undefined,
    undefined,
  ])
})

test('a name as it is listed is a pattern for it', () => {
  expect(matches('latin-\\xe9\\xff', 's', Buffer.from('latin-\xe9\xff', 'latin1'))).toBe(true)
  expect(matches('two\\nlines \\\\ \\u{202e}', 's', 'two\nlines \\ \u202e')).toBe(true)
})

test.for(['', '/', '//', 'a/../b', './a'])('%j is refused', (pattern) => {
  expect(() => parsePathPattern(pattern)).toThrow('is no pattern')
})

test('a pattern of many stars is soon done', () => {
  expect(matches('*******a', 's', 'b'.repeat(200_000))).toBe(false)
})

test('names match as GNU find says that they do', () => {
  using directory = new TemporaryDirectory()
  const names = [
    'a',
    'ab',
    'a.b',
    '.a',
    'A',
    '[',
    ']',
    '[a]',
    '-',
    'a-c',
    '!',
    '^',
    '*',
    '?',
    'é',
    'x y',
    'ä',
  ]
  const all = [...names.map((name) => Buffer.from(name)), Buffer.from([0x61, 0xff])]
  for (const name of all) writeFileSync(Buffer.concat([Buffer.from(`${directory.path}/d/`), name]), '')
  const patterns = ['*', '?', '??', 'a*', '*a', '[ab]', '[!a]*', '[^a]*', '[a-c]', '[]a]', '[!]a]', '[', '[a']
  patterns.push(
    '[]',
    '*[',
    '[a-]',
    '[-a]',
    '[*]',
    '\\*',
    '\\?',
    '[\\]]',
    'é',
    '?\\?',
    'a[^x]',
    '*.*',
    '[!-a]',
  )
  for (const pattern of patterns) {
    const expected = execFileSync(
      'find',
      [join(directory.path, 'd'), '-type', 'f', '-name', pattern, '-printf', '%f\\n'],
      {
        env: { ...process.env, LC_ALL: 'C' },
      },
    )
    const parsed = parsePathPattern(pattern)
    const found = all.filter((name) => parsed.matches(name, false))
    expect([pattern, found.map((name) => name.toString('latin1')).sort()]).toEqual([
      pattern,
      expected.toString('latin1').split('\n').slice(0, -1).sort(),
    ])
  }
})

class TemporaryDirectory implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), 'pipe-backup-pattern-'))

  constructor() {
    mkdirSync(join(this.path, 'd'))
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true })
  }
}
