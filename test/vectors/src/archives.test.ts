import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { listArchives, receiveArchive } from '@pipe-backup/archive'
import { deriveKeys, masterFromPhrase } from '@pipe-backup/crypto'
import { localSink } from '@pipe-backup/sink-local'
import { execa } from 'execa'
import { afterAll, expect, test } from 'vitest'

const HERE = resolve(import.meta.dirname, '../archives')
const RECOVER = resolve(import.meta.dirname, '../../recover/recover-archive.py')
const directory = mkdtempSync(join(tmpdir(), 'pipe-backup-archives-'))
afterAll(() => rmSync(directory, { recursive: true }))

interface Expected {
  readonly phrase: string
  readonly partner: string
  readonly archives: readonly {
    readonly id: string
    readonly name: string
    readonly isTar: boolean
    readonly time: string
    readonly hostId: string
    readonly bytes: number
    readonly sha256: string
    readonly partner: boolean
  }[]
}

const expected = JSON.parse(readFileSync(join(HERE, 'expected.json'), 'utf8')) as Expected
const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

test('yesterday’s archives are listed and opened, by every phrase that they were encrypted for', async () => {
  const sink = localSink({ name: 'vector', path: join(HERE, 'sink') })
  const keys = await deriveKeys(masterFromPhrase(expected.phrase))
  const partner = await deriveKeys(masterFromPhrase(expected.partner))
  const { archives, badSums } = await listArchives({ sinks: [sink], keys })
  expect(badSums).toEqual([])
  expect(archives).toHaveLength(expected.archives.length)
  for (const { id, name, isTar, time, hostId, bytes, sha256, ...more } of expected.archives) {
    const archive = archives.find((found) => found.id === id)
    if (!archive) throw new Error(`${id} is not listed`)
    expect(archive).toMatchObject({ name, isTar, time: new Date(time), hostId })
    for (const identity of more.partner ? [keys, partner] : [keys]) {
      const content = await buffer(receiveArchive({ archive, identity }))
      expect([content.length, digest(content)]).toEqual([bytes, sha256])
    }
  }
})

test('recover-archive.py opens them too, and says what is wrong with a phrase or a file', async () => {
  const recover = async (file: string, phrase: string) => {
    writeFileSync(join(directory, 'phrase'), phrase)
    return await execa('/usr/bin/python3', [RECOVER, file, '--phrase-file', join(directory, 'phrase')], {
      reject: false,
      encoding: 'buffer',
    })
  }
  for (const { id, sha256, partner } of expected.archives) {
    const file = join(HERE, 'sink/archives', id)
    const own = await recover(file, expected.phrase)
    expect([own.exitCode, digest(own.stdout), Buffer.from(own.stderr).toString()]).toEqual([
      0,
      sha256,
      `this is ${id}`,
    ])
    const theirs = await recover(file, expected.partner)
    expect(theirs.exitCode).toBe(partner ? 0 : 1)
    const bytes = readFileSync(file)
    const corrupt = join(directory, 'corrupt')
    for (const at of [0, 9, 60, 120, 240, bytes.length - 1]) {
      writeFileSync(
        corrupt,
        bytes.map((byte, i) => (i === at ? byte ^ 1 : byte)),
      )
      const damaged = await recover(corrupt, expected.phrase)
      expect(damaged.exitCode).toBe(1)
      expect(Buffer.from(damaged.stderr).toString()).not.toContain('Traceback')
    }
  }
})
