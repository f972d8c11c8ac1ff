import { Readable } from 'node:stream'
import { unwrapApplication } from '../config/application-document.ts'
import { parseJson } from '../config/json-document.ts'
import { crossCheckedConfig } from '../config/load-config.ts'
import { parseYaml } from '../config/yaml-document.ts'
import { readPhrase } from '../phrase/read-phrase.ts'
import { parseCron } from '../schedule/cron-expression.ts'
import { UsageError } from '../usage-error.ts'

const YAML = `vault: v
copies: 1
schedule: "17 * * * *"
sources:
  - &a { type: files, name: home, paths: [/home], exclude: ["*.tmp"] }
  - { type: command, name: db, run: [pg_dump, x], path: db.sql, every: 6h }
sinks:
  - { type: local, name: disk, path: /mnt }
  - { type: s3, name: cloud, bucket: b, endpoint: "https://x", accessKeyId: a, secretAccessKey: { env: S } } # c
  - { type: webdav, name: dav, url: "https://x", user: u, password: p } # d
keep: { last: 3, hourly: 24 }
grace: 1d
notify: [{ type: webhook, url: "https://y" }]
`
const JSON_CONFIG = `{ // c
 "sources": [{ "type": "files", "name": "home", "paths": ["/home"] }], "sinks": [{ "type": "local", "name": "d", "path": "/m" }], }`
const APPLICATION = `{"backup": {"nextcloud_server": "https://x", "nextcloud_user": "u", "nextcloud_pass": "p"}}`

/** What test/fuzz feeds. */
export const fuzzTargets: readonly {
  readonly name: string
  readonly seeds: readonly Uint8Array[]
  readonly decode: (bytes: Uint8Array) => unknown
}[] = [
  {
    name: 'config-yaml',
    seeds: [Buffer.from(YAML)],
    // No more: for levels and keys the yaml library takes quadratic time, a second for some thousand.
    decode: (bytes) =>
      crossCheckedConfig(parseYaml(Buffer.from(bytes.subarray(0, 8192)).toString(), 'f'), 'f'),
  },
  {
    name: 'config-json',
    seeds: [JSON_CONFIG, APPLICATION].map((text) => Buffer.from(text)),
    decode: (bytes) =>
      crossCheckedConfig(unwrapApplication(parseJson(Buffer.from(bytes).toString(), 'f'), 'f'), 'f'),
  },
  {
    name: 'phrase-file',
    seeds: [Buffer.from(`1. abandon 2. Zoo\nvault ${'ab'.repeat(16)}\n`)],
    decode: (bytes) =>
      readPhrase({
        file: '-',
        variable: undefined,
        cwd: '/',
        stdin: Readable.from([Buffer.from(bytes)]),
        ask: undefined,
        warn: () => {},
      }),
  },
  {
    name: 'cron',
    seeds: [Buffer.from('*/5 1-3,7 * JAN-MAR mon'), Buffer.from('@daily')],
    decode: (bytes) => {
      try {
        parseCron(Buffer.from(bytes).toString())
      } catch (error) {
        // As the schema says it.
        throw error instanceof RangeError ? new UsageError(error.message) : error
      }
    },
  },
]
