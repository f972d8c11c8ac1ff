import { globSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { addRelease, parseChangeset } from './changelog.ts'

const ROOT = resolve(import.meta.dirname, '../../../..')
const BOTH = '---\n"pipe-backup": patch\n"@pipe-backup/sink-s3": minor\n---\n\nA first line.\nA second.\n'

test('a changeset is its text and the largest step that it asks for', () => {
  expect(parseChangeset(BOTH, 'f')).toEqual({ step: 'minor', summary: 'A first line.\nA second.' })
  expect(parseChangeset('---\n---\n\nText.\n', 'f')).toEqual({ step: undefined, summary: 'Text.' })
})

test.for(['', '# Text\n', '---\n"pipe-backup": minor\n---\n\n'])('%j is no changeset', (text) => {
  expect(() => parseChangeset(text, 'thing.md')).toThrow('thing.md')
})

test('a release goes above the others, its changes by what they ask of people', () => {
  const changes = [
    { step: 'patch', summary: 'one' },
    { step: 'major', summary: 'two\nlines' },
  ] as const
  const first = addRelease('# Changes\n', { version: '1.0.0', date: '2026-01-02', changes: [] })
  const second = addRelease(first, { version: '1.1.0', date: '2026-02-03', changes })
  expect(second).toBe(`# Changes

## 1.1.0 (2026-02-03)

### What you must change

- two
  lines

### Fixed

- one

## 1.0.0 (2026-01-02)
`)
  expect(() => addRelease(second, { version: '1.0.0', date: '2026-01-02', changes })).toThrow('already')
})

test('every changeset that waits for a release can be read', () => {
  for (const file of globSync('.changeset/*.md', { cwd: ROOT }))
    expect(parseChangeset(readFileSync(join(ROOT, file), 'utf8'), file).summary).not.toBe('')
})
