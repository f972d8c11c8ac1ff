import { type Fault, faultySink, type SinkRequest } from './faulty-sink.ts'
import type { Sink } from './sink.ts'
import { SinkError, type SinkErrorCode } from './sink-error.ts'

/** Failures that are reported to the caller: nothing is done. */
const ERRORS = ['unreachable', 'throttled', 'timeout', 'full', 'forbidden', 'corrupt'] as const

/**
 * What can befall a request.
 * - an error code: it fails with that, and nothing is done;
 * - `hang`: it never answers;
 * - `torn-write`: half of it goes out, nothing is to be seen, it fails; `lost-write`, `half-write`: acknowledged, and nothing or half is there;
 * - `unanswered-write`: done, and then it fails; `lost-delete`: acknowledged, and nothing is gone;
 * - `stale-list`: the last changes do not show; `torn-read`: fails in the middle; `short-read`: ends in the middle, as if that were all.
 */
export type FaultKind =
  | (typeof ERRORS)[number]
  | 'hang'
  | 'torn-write'
  | 'lost-write'
  | 'half-write'
  | 'unanswered-write'
  | 'lost-delete'
  | 'stale-list'
  | 'torn-read'
  | 'short-read'

export const FAULT_KINDS: readonly FaultKind[] = [
  ...ERRORS,
  'hang',
  'torn-write',
  'lost-write',
  'half-write',
  'unanswered-write',
  'lost-delete',
  'stale-list',
  'torn-read',
  'short-read',
]

export interface Injection {
  readonly kind: FaultKind
  /** Which of the requests that it can befall, from 1. */
  readonly at: number
  /** From then on each, and not that one alone. Default false. */
  readonly forever?: boolean | undefined
  /** How many changes a stale listing does not know of. Default 8. */
  readonly staleChanges?: number | undefined
  /** Keys of objects that were put a moment before: a stale listing may not know of them either. */
  readonly justPut?: readonly string[] | undefined
}

export interface InjectedSink {
  readonly sink: Sink
  /** What the fault has befallen so far: operations and keys. None when the count was never reached. */
  readonly fired: readonly string[]
}

type Operation = SinkRequest['operation']

const WRITES: readonly Operation[] = ['put', 'createWriteStream']
const DELETES: readonly Operation[] = ['delete', 'deleteMany']
const READS: readonly Operation[] = ['get', 'createReadStream']
const STALE_CHANGES = 8
/** Less than any object of a vault has. */
const TORN_AFTER_BYTES = 16

/** A sink on which one kind of fault happens at one request, or from one on: to be moved through all the requests of an operation, one after the other. */
export function injectFault(sink: Sink, injection: Injection): InjectedSink {
  const { kind, at, forever = false, staleChanges = STALE_CHANGES, justPut } = injection
  const befalls = operationsOf(kind)
  const fired: string[] = []
  let seen = 0
  const plan = ({ operation, key }: SinkRequest): Fault => {
    if (befalls && !befalls.includes(operation)) return {}
    seen++
    if (seen < at || (seen > at && !forever)) return {}
    fired.push(`${operation} ${key}`)
    return faultOf(kind, sink.name, key)
  }
  const options = kind === 'stale-list' ? { staleChanges, justPut } : {}
  return { sink: faultySink(sink, plan, options), fired }
}

/** @returns undefined for all of them */
function operationsOf(kind: FaultKind): readonly Operation[] | undefined {
  switch (kind) {
    case 'unreachable':
    case 'throttled':
    case 'timeout':
    case 'forbidden':
    case 'hang':
      return undefined
    // What is full still reads; what is corrupt was read.
    case 'full':
    case 'torn-write':
    case 'lost-write':
    case 'half-write':
      return WRITES
    case 'unanswered-write':
      return [...WRITES, ...DELETES]
    case 'lost-delete':
      return DELETES
    case 'stale-list':
      return ['list']
    // A put is read back by some sinks.
    case 'corrupt':
      return [...READS, ...WRITES]
    case 'torn-read':
      return [...READS, 'list']
    case 'short-read':
      return READS
  }
}

function faultOf(kind: FaultKind, name: string, key: string): Fault {
  const error = (code: SinkErrorCode, what: string) => new SinkError(code, what, { sink: name, key })
  switch (kind) {
    case 'unreachable':
    case 'throttled':
    case 'timeout':
    case 'full':
    case 'forbidden':
    case 'corrupt':
      return { before: error(kind, `is made to fail: ${kind}`) }
    case 'hang':
      return { hang: true }
    case 'torn-write':
      return { torn: error('unreachable', 'the connection broke in the middle') }
    case 'lost-write':
      return { lost: 'all' }
    case 'half-write':
      return { lost: 'half' }
    case 'unanswered-write':
      return { after: error('unreachable', 'the answer was lost') }
    case 'lost-delete':
      return { lost: 'all' }
    case 'stale-list':
      return { stale: true }
    case 'torn-read':
      return { after: error('unreachable', 'broke off'), afterBytes: TORN_AFTER_BYTES }
    case 'short-read':
      return { short: true }
  }
}
