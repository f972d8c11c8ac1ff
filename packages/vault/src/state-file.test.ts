import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { parseStateFile, readStateFile, writeStateFile } from './state-file.ts'

const CONTENT = { version: 1, sources: [{ name: 'wallet', root: 'ab12', at: 0.5 }], none: null }

function place(): string {
  const directory = mkdtempSync(join(tmpdir(), 'state-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  return join(directory, 'sub', 'state.json')
}

test('what was written is read', async () => {
  const file = place()
  expect(await readStateFile(file)).toBeUndefined()
  await writeStateFile(file, CONTENT)
  expect(await readStateFile(file)).toEqual(CONTENT)
})

test('with any byte changed, or cut anywhere, it is thrown away', async () => {
  const file = place()
  await writeStateFile(file, CONTENT)
  const bytes = readFileSync(file)
  for (let at = 0; at < bytes.length - 1; at++) {
    const flipped = Buffer.from(bytes)
    flipped[at] = (flipped[at] ?? 0) ^ 1
    writeFileSync(file, flipped)
    expect({ at, read: await readStateFile(file) }).toEqual({ at, read: undefined })
    writeFileSync(file, bytes.subarray(0, at))
    expect({ at, read: await readStateFile(file) }).toEqual({ at, read: undefined })
  }
})

test('a file of more levels than can be written is thrown away', () => {
  const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`
  expect(parseStateFile(`{"sha256":"","content":${deep}}`)).toBeUndefined()
})
