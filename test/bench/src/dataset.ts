import {
  chmodSync,
  closeSync,
  mkdirSync,
  openSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { smallFile, smallFilePath, stateFile, stateFileName } from './content.ts'
import { dumpPieces } from './dump.ts'
import { random, randomBytes } from './random.ts'

const MIB = 1024 * 1024
const WHOLE = { stateFiles: 400, smallFiles: 100_000, dumpBytes: 500 * MIB, randomBytes: 300 * MIB }
/** Times of files are made from this, in seconds since the epoch: long enough ago to be reported from a later change. */
const LONG_AGO = 1_700_000_000

export interface Counts {
  readonly smallFiles: number
  readonly stateFiles: number
}

/** How many files a data set of this scale has. */
export function countsAt(scale: number): Counts {
  return {
    smallFiles: Math.max(1000, Math.round(WHOLE.smallFiles * scale)),
    stateFiles: Math.max(4, Math.round(WHOLE.stateFiles * scale)),
  }
}

/**
 * What a server with a bot on it holds: a wallet, a chain state (400 files of 2 MiB), a tree of 100,000 small files, a dump
 * of 500 MiB and 300 MiB that do not compress; 2.1 GB at scale 1. The same bytes and times wherever it is made.
 * @param directory - made; must not exist
 */
export function makeDataset(directory: string, scale: number): void {
  const { smallFiles, stateFiles } = countsAt(scale)
  mkdirSync(directory)

  const wallet = join(directory, 'wallet')
  mkdirSync(wallet, { mode: 0o700 })
  const secret = randomBytes('wallet')
  for (const [name, bytes] of [
    ['wallet.dat', 16_384],
    ['keystore.enc', 1_536],
    ['seed.enc', 320],
  ] as const) {
    put(join(wallet, name), secret(bytes), LONG_AGO)
    chmodSync(join(wallet, name), 0o600)
  }
  put(join(wallet, 'config.json'), '{ "network": "main", "pruning": true }\n', LONG_AGO)

  const state = join(directory, 'state')
  mkdirSync(state)
  for (let n = 1; n <= stateFiles; n++) put(join(state, stateFileName(n)), stateFile(n), LONG_AGO + n)
  put(join(state, 'CURRENT'), 'MANIFEST-000001\n', LONG_AGO)
  put(join(state, 'MANIFEST-000001'), randomBytes('manifest')(stateFiles * 96), LONG_AGO)
  put(join(state, 'LOCK'), '', LONG_AGO)

  for (let i = 0; i < smallFiles; i++) {
    const path = join(directory, 'tree', smallFilePath(i))
    if (i % 50 === 0) mkdirSync(dirname(path), { recursive: true })
    put(path, smallFile(i), LONG_AGO + (random('mtime', i)() % 30_000_000))
    if (i % 997 === 0) chmodSync(path, 0o755)
    if (i % 1000 === 0) symlinkSync(`./${basename(path)}`, `${path}.lnk`)
  }

  putAll(join(directory, 'dump.sql'), dumpPieces(WHOLE.dumpBytes * scale))
  putAll(join(directory, 'random.bin'), randomPieces(WHOLE.randomBytes * scale))
}

function* randomPieces(bytes: number): Generator<Buffer> {
  const next = randomBytes('random')
  for (let left = Math.round(bytes); left > 0; left -= MIB) yield next(Math.min(left, MIB))
}

function put(path: string, content: string | Buffer, time: number): void {
  writeFileSync(path, content)
  utimesSync(path, time, time)
}

function putAll(path: string, pieces: Iterable<string | Buffer>): void {
  const fd = openSync(path, 'w')
  for (const piece of pieces) writeSync(fd, Buffer.from(piece))
  closeSync(fd)
  utimesSync(path, LONG_AGO, LONG_AGO)
}
