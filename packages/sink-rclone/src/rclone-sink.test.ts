import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { startSabreDav } from '@pipe-backup-test/services'
import { execa } from 'execa'
import { expect, test } from 'vitest'
import { rcloneSink } from './rclone-sink.ts'

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}

test('over a network, to a remote without hashes: what was sent is read back, and comes back', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'sink-rclone-'))
  await using server = await startSabreDav()
  try {
    const { url } = server.makeCollection()
    const { stdout: pass } = await execa('rclone', ['obscure', '-'], { input: server.password })
    const config = join(directory, 'rclone.conf')
    writeFileSync(
      config,
      `[dav]\ntype = webdav\nvendor = other\nurl = ${url}\nuser = ${server.user}\npass = ${pass}\n`,
    )
    await using sink = rcloneSink({ name: 'any', remote: 'dav:backups', config })
    const bytes = Buffer.from(Array.from({ length: 3_000_000 }, (_, i) => i % 251))
    await sink.put('packs/ab/one', bytes)
    await pipeline(async function* () {
      for (let i = 0; i < 10; i++) yield bytes
    }, sink.createWriteStream('archives/two'))
    expect(
      Buffer.from(await sink.get('packs/ab/one', { offset: 1_000_000, length: 10 })).equals(
        bytes.subarray(1_000_000, 1_000_010),
      ),
    ).toBe(true)
    expect((await buffer(await sink.createReadStream('archives/two'))).length).toBe(30_000_000)
    const listed = await all(sink.list(''))
    expect(new Map(listed.map(({ key, sizeBytes }) => [key, sizeBytes]))).toEqual(
      new Map([
        ['archives/two', 30_000_000],
        ['packs/ab/one', 3_000_000],
      ]),
    )
    expect(await sink.deleteMany(['archives/two', 'packs/ab/one', 'none'])).toEqual(new Map())
    expect(await all(sink.list(''))).toEqual([])
  } finally {
    rmSync(directory, { recursive: true })
  }
})

test('a remote with options in it, or none, is refused', () => {
  for (const remote of ['path', ':s3,secret_access_key=x:bucket', '-x:y', ''])
    expect(() => rcloneSink({ name: 'any', remote })).toThrow(TypeError)
})
