import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CarriedSources } from '../backup/carried-sources.ts'
import { parseStateFile, stateFileText } from '../state-file.ts'
import { DamageBook } from '../store/damage-book.ts'
import { OwnSnapshots } from '../store/own-snapshots.ts'

const HASH = 'ab'.repeat(32)
const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))
const TIME = '2026-11-23T10:00:00.000Z'
const HEAD = { name: 'a', state: 'ok', root: HASH, entries: 1, bytes: 2, problems: 0, takenAt: TIME }

/** One file for all: made when it is first needed. */
let directory: string | undefined

/** The content, in a file with the right checksum. */
function fileOf(name: string, content: Uint8Array): string {
  directory ??= mkdtempSync(join(tmpdir(), 'pipe-backup-fuzz-'))
  let value: unknown
  try {
    value = JSON.parse(Buffer.from(content).toString())
    writeFileSync(join(directory, name), stateFileText(value))
  } catch {
    // No JSON, or more levels than JSON.stringify takes.
    writeFileSync(join(directory, name), content)
  }
  return directory
}

/** Of the local state. */
export const stateTargets: readonly {
  readonly name: string
  readonly seeds: readonly Uint8Array[]
  readonly decode: (bytes: Uint8Array) => unknown
}[] = [
  {
    name: 'state-file',
    seeds: [Buffer.from(stateFileText({ a: [1, 'b', null] }))],
    decode: (bytes) => parseStateFile(Buffer.from(bytes).toString()),
  },
  {
    name: 'state-carried',
    seeds: [json({ vault: 'v', sources: [{ head: HEAD, ids: 'AAAA' }] })],
    decode: async (bytes) => {
      const carried = await CarriedSources.open(fileOf('carried.json', bytes), 'v')
      carried.find({ name: 'a' }, 1e9, new Date(TIME))
    },
  },
  {
    name: 'state-own-snapshots',
    seeds: [json({ vault: 'v', newest: { s: 'snapshots/20261123t100000z-0123456789abcdef' } })],
    decode: async (bytes) => await OwnSnapshots.open(fileOf('own-snapshots.json', bytes), 'v'),
  },
  {
    name: 'state-damage',
    seeds: [
      json({ version: 1, sinks: { s: { cursor: 0.5, damaged: { k: { why: 'missing', since: TIME } } } } }),
    ],
    decode: async (bytes) => {
      const book = await DamageBook.open(fileOf('damage.json', bytes))
      return [book.of('s').size, book.cursor('s')]
    },
  },
]
