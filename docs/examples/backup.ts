/**
 * A backup in 20 lines: encrypted, deduplicated, on as many sinks as you name. Run it again, and only what changed is sent.
 *
 *     node backup.ts DIRECTORY /mnt/one /mnt/two
 *
 * The first run writes `phrase` (24 words: keep them elsewhere, they alone open the backups) and `host.key` (writes, reads nothing).
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { deriveKeys, generatePhrase, masterFromPhrase } from '@pipe-backup/crypto'
import { localSink } from '@pipe-backup/sink-local'
import { filesSource } from '@pipe-backup/source-files'
import * as vault from '@pipe-backup/vault'

const [directory = '', ...paths] = process.argv.slice(2)
const sinks = paths.map((path, i) => localSink({ name: `sink-${i + 1}`, path, create: true }))

if (!existsSync('host.key')) {
  const phrase = generatePhrase()
  writeFileSync('phrase', phrase, { mode: 0o600, flag: 'wx' })
  const keys = await deriveKeys(masterFromPhrase(phrase))
  await vault.initVault({ sinks, publicKey: keys.publicKey })
  writeFileSync('host.key', vault.encodeHostKey(vault.createVaultHost(keys)), { mode: 0o600 })
}

const host = vault.decodeHostKey(readFileSync('host.key', 'utf8'))
const sources = [filesSource({ name: 'files', paths: [directory] })]
const who = { host, hostName: hostname(), program: 'backup.ts' }
const report = await vault.backup({ ...who, sources, sinks, copies: sinks.length, stateDirectory: 'state' })

for (const { name, state, bytesSent } of report.sinks) console.log(`${name}: ${state}, ${bytesSent} bytes`)
process.exitCode = report.exitCode
