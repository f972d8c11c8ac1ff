import type { IncomingMessage } from 'node:http'
import { listedThrough } from '@pipe-backup/sink/testing'
import { failureOf } from '../api-failure.ts'
import { toSinkError } from '../dropbox-errors.ts'
import { fileInfo } from '../file-info.ts'
import { parseObject } from '../json.ts'

const FILE = {
  '.tag': 'file',
  path_lower: '/packs/ab/abcd',
  size: 12,
  server_modified: '2026-11-23T10:00:00Z',
  rev: '5f',
  content_hash: 'ab'.repeat(32),
}
const ERROR = {
  error_summary: 'path/conflict/file/..',
  error: { '.tag': 'path', path: { '.tag': 'conflict', conflict: { '.tag': 'file' } }, retry_after: 3 },
}
const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))

/** What test/fuzz feeds. */
export const fuzzTargets: readonly {
  readonly name: string
  readonly seeds: readonly Uint8Array[]
  readonly isOfErrors?: boolean
  readonly decode: (bytes: Uint8Array) => unknown
}[] = [
  {
    name: 'dropbox-file',
    seeds: [json(FILE)],
    decode: async (bytes) => {
      try {
        await listedThrough(function* () {
          const { pathLower, sizeBytes, storedAt } = fileInfo(
            parseObject(Buffer.from(bytes).toString()) ?? {},
          )
          yield { key: pathLower.slice(1), sizeBytes, storedAt }
        })
      } catch (error) {
        throw toSinkError(error, 's')
      }
    },
  },
  {
    name: 'dropbox-error',
    isOfErrors: true,
    seeds: [
      Buffer.concat([Buffer.of(9), json(ERROR)]),
      Buffer.concat([Buffer.of(0), json({ error: 'invalid_grant' })]),
      Buffer.from('\u0000Error in call to API function: \n secret'),
    ],
    decode: (bytes) => {
      const [status = 0] = bytes
      const response = { statusCode: 400 + status, headers: {} } as IncomingMessage
      const failure = failureOf(response, Buffer.from(bytes.subarray(1)).toString(), ['secret'])
      throw toSinkError(failure, 's', 'k')
    },
  },
]
