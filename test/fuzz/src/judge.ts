import { getHeapStatistics } from 'node:v8'
import type { FuzzTarget } from './target.ts'

/** What is wrong with how a decoder took an input. */
export interface Flaw {
  /** The same for inputs that show the same defect. */
  readonly signature: string
  readonly message: string
}

const OURS: ReadonlySet<string> = new Set([
  'VaultError',
  'SinkError',
  'CryptoError',
  'ConfigError',
  'ArchiveError',
  'UsageError',
])
const MAX_MESSAGE = 8192
/** For an input of 64 KiB at most. */
const MAX_MS = 1000
const MAX_MEMORY_BYTES = 96 * 1024 * 1024

/** Feeds a decoder, and says what is wrong with what it does: undefined where it returns, or throws an error of ours, in time and in bounds. */
export async function judge(target: FuzzTarget, bytes: Uint8Array): Promise<Flaw | undefined> {
  const memory = usedBytes()
  const started = performance.now()
  const flaw = await feed(target, bytes)
  if (flaw) return flaw
  const grown = usedBytes() - memory
  if (grown > MAX_MEMORY_BYTES)
    return { signature: 'memory', message: `took ${Math.round(grown / 2 ** 20)} MiB` }
  if (performance.now() - started < MAX_MS) return undefined
  // The machine may have done something else.
  const again = performance.now()
  await feed(target, bytes)
  const ms = Math.round(performance.now() - again)
  return ms < MAX_MS ? undefined : { signature: 'slow', message: `took ${ms} ms` }
}

async function feed({ decode }: FuzzTarget, bytes: Uint8Array): Promise<Flaw | undefined> {
  try {
    await decode(bytes)
    return undefined
  } catch (error) {
    return flawOf(error)
  }
}

function flawOf(error: unknown): Flaw | undefined {
  if (!(error instanceof Error)) return { signature: 'no error', message: `threw ${String(error)}` }
  const { name, message, stack = '' } = error
  const [place = ''] = /(?:packages|apps|node_modules)\/[^:)]+:\d+/.exec(stack) ?? []
  if (!OURS.has(name))
    return { signature: `${name} ${place}`, message: `${name}: ${message.slice(0, 200)} (${place})` }
  if (message !== '' && message.length <= MAX_MESSAGE && !/[\n\r]/.test(message)) return undefined
  const shown = JSON.stringify(message.slice(0, 200))
  return { signature: `message ${place}`, message: `its message is not one line: ${shown} (${place})` }
}

function usedBytes(): number {
  const { used_heap_size: heap, external_memory: external } = getHeapStatistics()
  return heap + external
}
