import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Sink, SinkError, withTimeout } from '@pipe-backup/sink'
import type { FaultProxy, ProxyFault } from '@pipe-backup/sink/conformance'
import { inTime } from './in-time.ts'
import { seeded } from './simulated-server.ts'

/** The same empty place twice: straight, and through a proxy that breaks connections. */
export interface Place {
  readonly name: string
  readonly straight: Sink
  readonly proxied: Sink
  readonly proxy: FaultProxy
  /** HTTP in the clear: an object's bytes are not protected on their way. */
  readonly isPlain: boolean
}

export interface LineResult {
  cases: number
  /** Faults that came about. */
  struck: number
  /** How the operations ended, by code; `done` where they succeeded. */
  readonly ended: Map<string, number>
  readonly problems: string[]
}

type Operation = 'put' | 'stream' | 'get' | 'list'

const OPERATIONS: readonly Operation[] = ['put', 'stream', 'get', 'list']
/** What is silent is given up after this. */
const SILENT_MS = 500
/** For one that is cut off, refused, answered by nonsense, or silent. */
const FITTING = new Set(['unreachable', 'timeout', 'throttled', 'protocol', 'corrupt'])
const SIZE = 150_000
const LISTED = 12
/** The first bytes of an answer in HTTP: its status and headers, which garbage makes unreadable. */
const HEAD_BYTES = 60

/** Different for each: one's bytes are never another's. */
const contentOf = (seed: number): Buffer => {
  const random = seeded(seed)
  const bytes = Buffer.alloc(SIZE)
  for (let at = 0; at < SIZE - 4; at += 4) bytes.writeUInt32LE(Math.floor(random() * 2 ** 32), at)
  return bytes
}

/**
 * Every fault in each operation, at points that are chosen by the seed.
 * @param points - how many each, in each direction; undefined for one in one of the directions
 */
export async function breakLine(place: Place, seed: number, points: number | undefined): Promise<LineResult> {
  const result: LineResult = { cases: 0, struck: 0, ended: new Map(), problems: [] }
  const random = seeded(seed)
  const stored = new Map<string, Buffer>()
  for (let i = 0; i < LISTED; i++) {
    stored.set(`old/${i}`, contentOf(i))
    await place.straight.put(`old/${i}`, contentOf(i))
  }
  for (const operation of OPERATIONS) {
    for (const type of ['cut', 'reset', 'half-close', 'stall', 'garbage', 'slow'] as const) {
      const sampled = random() < 0.5 ? 'up' : 'down'
      for (const direction of points === undefined ? ([sampled] as const) : (['up', 'down'] as const)) {
        for (let i = 0; i < (points ?? 1); i++) {
          const afterBytes = pointOf(random, place, { operation, type, direction })
          const point = { direction, afterBytes, connection: random() < 0.1 ? 2 : 1 }
          const fault: ProxyFault =
            type === 'slow' ? { type, ...point, bytesPerSecond: 500_000 } : { type, ...point }
          await runCase(place, operation, fault, stored, result)
        }
      }
    }
  }
  return result
}

/** At the beginning, soon, or in the middle of the object. */
function pointOf(
  random: () => number,
  { isPlain }: Place,
  { operation, type, direction }: { operation: Operation; type: string; direction: 'up' | 'down' },
): number {
  // Of garbage in its bytes a server of plain HTTP knows nothing: the vault does, by their hash.
  if (isPlain && type === 'garbage' && direction === 'down' && operation === 'get')
    return Math.floor(random() * HEAD_BYTES)
  const most = [1, 600, 6000, SIZE][Math.floor(random() * 4)] ?? 0
  return Math.floor(random() * most)
}

async function runCase(
  { name, straight, proxied, proxy }: Place,
  operation: Operation,
  fault: ProxyFault,
  stored: Map<string, Buffer>,
  result: LineResult,
): Promise<void> {
  const number = ++result.cases
  const key = `new/${number}`
  const bytes = contentOf(1000 + number)
  const what = `${name}: ${operation}, ${JSON.stringify(fault)}`
  const report = (problem: string) => result.problems.push(`${what}: ${problem}`)
  const struckBefore = proxy.struck
  proxy.fault = fault
  await renew(proxy)
  const impatient = withTimeout(proxied, { silentMs: SILENT_MS })
  const asked = { put: key, stream: key, get: 'old/3', list: 'old/' }[operation]
  const outcome = await inTime(perform(impatient, operation, asked, bytes))
  result.struck += proxy.struck - struckBefore
  const ended = outcome instanceof SinkError ? outcome.code : outcome instanceof Error ? outcome.name : 'done'
  result.ended.set(ended, (result.ended.get(ended) ?? 0) + 1)
  if (outcome instanceof SinkError) {
    if (!FITTING.has(outcome.code)) report(`${outcome.code}: ${outcome.message}`)
  } else if (outcome instanceof Error) report(`no SinkError: ${outcome.stack}`)
  else if (operation === 'get' && stored.get(asked)?.equals(outcome as Buffer) !== true)
    report(`gives other bytes: ${(outcome as Buffer).length}`)
  else if (operation === 'list' && (outcome as string[]).length !== LISTED)
    report(`lists ${(outcome as string[]).join()}`)

  proxy.fault = { type: 'none' }
  await renew(proxy)
  const isNew = operation === 'put' || operation === 'stream'
  if (isNew) stored.set(key, bytes)
  // It may be there, whole, or not; where it was acknowledged it is.
  const shown = await keysOf(straight)
  for (const one of shown) if (!stored.has(one)) report(`shows ${one}`)
  if (isNew && shown.includes(key) && !bytes.equals(await straight.get(key))) report('shows other bytes')
  if (isNew && ended === 'done' && !shown.includes(key)) report('is acknowledged, and not there')
  const later = await inTime(perform(proxied, operation, asked, bytes))
  if (later instanceof Error) report(`fails without a fault: ${later.stack}`)
  else if (isNew && !bytes.equals(await straight.get(key))) report('other bytes at the second try')
  if (!isNew) return
  await straight.delete(key)
  stored.delete(key)
}

async function perform(
  sink: Sink,
  operation: Operation,
  key: string,
  bytes: Buffer,
): Promise<Buffer | string[] | undefined> {
  switch (operation) {
    case 'put':
      await sink.put(key, bytes)
      return undefined
    case 'stream':
      await pipeline([bytes.subarray(0, SIZE / 2), bytes.subarray(SIZE / 2)], sink.createWriteStream(key))
      return undefined
    case 'get':
      return Buffer.from(await sink.get(key))
    case 'list':
      return keysOf(sink, key)
  }
}

async function keysOf(sink: Sink, prefix = ''): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of sink.list(prefix)) keys.push(key)
  return keys
}

/** The connections there are have gone, and the sink has noticed: the next request makes its own. */
async function renew(proxy: FaultProxy): Promise<void> {
  proxy.drop()
  await sleep(15)
}
