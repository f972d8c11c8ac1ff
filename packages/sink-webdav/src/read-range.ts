import { setTimeout as pause } from 'node:timers/promises'
import { parseContentRange, sizeBehind } from '@pipe-backup/http'
import { type ObjectRange, type ReadOptions, SinkError } from '@pipe-backup/sink'
import type { Dav, DavOptions } from './dav.ts'
import { finish, type HttpAnswer } from './http-client.ts'
import { toSinkError } from './webdav-errors.ts'

interface Asked {
  readonly dav: Dav
  readonly path: string
  readonly key: string
  readonly options: ReadOptions
}

/** Where a server replaces an object it takes the old one away first: what is missing is asked for again, so long after. */
export const REPLACING_MS = 50

/** @throws SinkError `not-found`, `range`, `corrupt` */
export async function readRange(
  dav: Dav,
  path: string,
  key: string,
  options: ReadOptions,
): Promise<ObjectRange> {
  const { signal } = options
  const asked: Asked = { dav, path, key, options }
  const first = await tryRange(asked)
  if (typeof first === 'object') return first
  await pause(REPLACING_MS, undefined, { signal })
  const second = await tryRange(asked)
  if (typeof second === 'object') return second
  if (second === 'absent') throw new SinkError('not-found', 'is not there', { sink: dav.sink, key })
  throw new SinkError('unreachable', 'the server shows it empty, and says that it is not', {
    sink: dav.sink,
    key,
  })
}

async function tryRange(asked: Asked): Promise<ObjectRange | 'absent' | 'emptied'> {
  const { dav, path, options } = asked
  const { offset = 0, length } = options
  // HTTP has no range of no bytes.
  if (length === 0) return emptyRange(asked)
  const about = davOptions(asked)
  const wanted = offset > 0 || length !== undefined
  const last = length === undefined ? '' : String(offset + length - 1)
  const headers = wanted ? { Range: `bytes=${offset}-${last}` } : {}
  const answer = await dav.get(path, { ...about, headers })
  if (answer.status === 404 || answer.status === 416) {
    await finish(answer)
    return answer.status === 404 ? 'absent' : emptyRange(asked)
  }
  if (answer.status !== 200 && answer.status !== 206) throw await dav.error(answer, about)
  try {
    const { from, size } = await extent(answer, asked)
    // sabre/dav, of a file that goes away before it is opened: 200, and nothing in it.
    if (size === 0 && (await sizeOf(asked)) !== 0) {
      answer.body.destroy()
      return 'emptied'
    }
    if (offset + (length ?? 0) > size) throw outOfRange(asked, size)
    if (from > offset) throw nonsense(asked)
    const take = length ?? size - offset
    const close = (): void => {
      answer.body.destroy()
    }
    return { sizeBytes: take, pieces: cut(answer, asked, offset - from, take), close }
  } catch (error) {
    answer.body.destroy()
    throw error
  }
}

/** Where an answer begins in its object, and how long the object is, or how long at least where that is enough. */
async function extent(
  { status, headers }: HttpAnswer,
  asked: Asked,
): Promise<{ from: number; size: number }> {
  if (status === 206) {
    const range = parseContentRange(headers['content-range'])
    if (range === undefined) throw nonsense(asked)
    const { offset = 0, length } = asked.options
    const end = length === undefined ? undefined : offset + length
    const size = await sizeBehind(range, end, () => sizeOf(asked))
    return { from: range.from, size: size ?? range.end }
  }
  const length = headers['content-length']
  return { from: 0, size: length === undefined ? ((await sizeOf(asked)) ?? 0) : Number(length) }
}

async function emptyRange(asked: Asked): Promise<ObjectRange | 'absent'> {
  const { offset = 0, length = 0 } = asked.options
  const size = await sizeOf(asked)
  if (size === undefined) return 'absent'
  if (offset + length > size) throw outOfRange(asked, size)
  return { sizeBytes: 0, pieces: (async function* () {})() }
}

async function sizeOf(asked: Asked): Promise<number | undefined> {
  return (await asked.dav.info(asked.path, davOptions(asked)))?.sizeBytes
}

/** What is between so many bytes that are not wanted and the rest that isn't: not every server keeps to the range. */
async function* cut(
  { body }: HttpAnswer,
  { dav, key, options }: Asked,
  skip: number,
  take: number,
): AsyncGenerator<Uint8Array> {
  const { signal, onBytes } = options
  let skipLeft = skip
  let takeLeft = take
  try {
    for await (const piece of body.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      await onBytes?.(piece.length)
      signal?.throwIfAborted()
      const wanted = piece.subarray(skipLeft, skipLeft + takeLeft)
      skipLeft -= Math.min(skipLeft, piece.length)
      takeLeft -= wanted.length
      if (wanted.length > 0) yield wanted
      if (takeLeft === 0) return
    }
  } catch (cause) {
    signal?.throwIfAborted()
    throw toSinkError(cause, { sink: dav.sink, key })
  } finally {
    // Where all of it has come the connection is used again.
    if (body.complete) body.resume()
    else body.destroy()
  }
  if (takeLeft > 0) throw new SinkError('unreachable', 'the answer ended too early', { sink: dav.sink, key })
}

function outOfRange({ dav, key, options: { offset = 0, length } }: Asked, size: number): SinkError {
  const wanted = length === undefined ? '' : `${length} `
  return new SinkError('range', `has ${size} bytes, wanted ${wanted}from ${offset}`, { sink: dav.sink, key })
}

function nonsense({ dav, key }: Asked): SinkError {
  return new SinkError('protocol', 'the server answers with another range', { sink: dav.sink, key })
}

function davOptions({ key, options: { signal } }: Asked): DavOptions {
  return { key, signal }
}
