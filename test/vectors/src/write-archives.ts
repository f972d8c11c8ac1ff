// Writes test/vectors/archives, as `pipe-backup send` would:
//   node --conditions=pipe-backup-src test/vectors/src/write-archives.ts DIRECTORY
// See README.md: what it wrote is frozen, and this is not run in tests.
import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { sendArchive } from '@pipe-backup/archive'
import { certify, deriveKeys, phraseFromMaster } from '@pipe-backup/crypto'
import { localSink } from '@pipe-backup/sink-local'
import { packTar } from '@pipe-backup/tar'
import { describedSource, file, other } from './described-source.ts'

const directory = join(process.argv[2] ?? '.', 'archives')
const path = join(directory, 'sink')
mkdirSync(path, { recursive: true })
const sink = localSink({ name: 'vector', path })
const masters = ['vault', 'partner'].map((who) =>
  Uint8Array.from(createHash('sha256').update(`pipe-backup archive vector: ${who}`).digest()),
)
const [own = new Uint8Array(), partner = new Uint8Array()] = masters
const keys = await deriveKeys(own)
const { publicKey } = await deriveKeys(partner)

const entries = describedSource('wallet', [other('directory', 'empty'), file('keys', 'not a real key')])
const tar = await buffer(packTar(entries.entries()))
const bytes = Buffer.from(Array.from({ length: 70_000 }, (_, i) => (i * i) % 251))
const archives = []
for (const { name, isTar, content, recipients } of [
  { name: 'wallet', isTar: true, content: tar, recipients: [] },
  { name: 'notes.bin', isTar: false, content: bytes, recipients: [publicKey] },
]) {
  const time = new Date('2026-11-28T10:00:00.123Z')
  const hostId = '0123456789abcdef0123456789abcdef'
  const seed = createHash('sha256').update('pipe-backup archive vector: host').digest()
  const { id } = await sendArchive({
    time,
    name,
    isTar,
    keys,
    recipients,
    signer: { seed, certificate: certify(keys, hostId, 'write', seed) },
    sinks: [sink],
    copies: 1,
    content: Readable.from([content]),
  })
  const sha256 = createHash('sha256').update(content).digest('hex')
  archives.push({
    id,
    name,
    isTar,
    time,
    hostId,
    bytes: content.length,
    sha256,
    partner: recipients.length > 0,
  })
}
const expected = { phrase: phraseFromMaster(own), partner: phraseFromMaster(partner), archives }
writeFileSync(join(directory, 'expected.json'), `${JSON.stringify(expected, null, 2)}\n`)
