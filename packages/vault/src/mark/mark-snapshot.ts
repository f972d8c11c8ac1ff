import type { Sink } from '@pipe-backup/sink'
import {
  MAX_REPLACED,
  MAX_TAGS,
  type Mark,
  markAuthorOf,
  markIdOf,
  newMarkKey,
  openMark,
  sealMark,
} from '../format/mark-object.ts'
import { roleOf, type VaultHost } from '../format/vault-host.ts'
import { damageOf } from '../store/damage.ts'
import { EachSink } from '../store/each-sink.ts'
import { joinMarks, type SnapshotMarks, type StoredMark } from '../store/mark-book.ts'
import { readMarks } from '../store/read-marks.ts'
import { learnRevocations, requireTrusted } from '../store/revocations.ts'
import { requireVault } from '../store/vault-header.ts'
import { VaultError } from '../vault-error.ts'
import { type MarkedSnapshot, requireNoPrune } from './require-no-prune.ts'

/** What is to change of a snapshot's marks. */
export interface MarkChange {
  /** True pins, false unpins. */
  readonly pinned?: boolean | undefined
  readonly addTags?: readonly string[] | undefined
  readonly removeTags?: readonly string[] | undefined
}

export interface MarkSnapshotOptions {
  readonly host: VaultHost
  /** All that are configured: each is to hold the mark. */
  readonly sinks: readonly Sink[]
  readonly snapshot: MarkedSnapshot
  readonly change: MarkChange
  readonly signal?: AbortSignal | undefined
  /** Called with each mark that does not open on a sink. */
  readonly onProblem?: ((sink: string, error: Error) => void) | undefined
}

export interface MarkReport {
  /** How the snapshot is marked now. */
  readonly marks: SnapshotMarks
  /** False where it was so already: a mark that says it again is stored all the same, since a sink may lack the earlier one, or a prune not have seen it. */
  readonly isChanged: boolean
  /** `failed`: it does not have the mark, see `error`; a healing brings it. */
  readonly sinks: readonly {
    readonly name: string
    readonly state: 'ok' | 'failed'
    readonly error?: string | undefined
  }[]
  /** 3: a sink could not be asked or does not have the mark. */
  readonly exitCode: 0 | 3
}

/**
 * Pins and tags a snapshot, or takes that back, on all the sinks that answer. Needs no phrase. What other hosts have said only a host that
 * maintains the vault takes back.
 * @throws VaultError `not-permitted` for a host that was revoked, or what another host has said; `busy`, `missing` where a prune may have
 * removed the snapshot all the same; the first sink's error when none takes the mark; the abort's reason
 */
export async function markSnapshot(options: MarkSnapshotOptions): Promise<MarkReport> {
  const { host, sinks, snapshot, change, signal, onProblem } = options
  const { keys } = host
  const each = new EachSink(sinks, signal)
  const { errors } = each
  const onEach = async (work: (sink: Sink) => Promise<void>): Promise<void> => {
    await each.do(work)
    each.requireAny()
  }
  await onEach(async (sink) => {
    await requireVault(sink, host.vaultId, signal)
    await learnRevocations(sink, keys, signal)
  })
  requireTrusted(keys, host.hostId)
  const book = await readMarks({
    sinks: each.working,
    keys,
    snapshot: snapshot.key,
    signal,
    onProblem: (sink, error) => {
      // Nobody knows what it says.
      if (damageOf(error) === undefined) errors.set(sink, error)
      onProblem?.(sink.name, error)
    },
  })
  each.requireAny()
  const before = book.counting(snapshot.key)
  const { mark, isChanged } = nextMark(before, change, host)
  if (mark) {
    const key = newMarkKey(snapshot.key, host.hostId)
    const object = sealMark(host, key, mark)
    book.add(key, openMark(keys, key, object))
    await onEach((sink) => sink.put(key, object, { signal }))
    await onEach((sink) => requireNoPrune(sink, snapshot, key, keys, signal))
  }
  const states = sinks.map((sink) => {
    const error = errors.get(sink)
    return error
      ? ({ name: sink.name, state: 'failed', error: error.message } as const)
      : ({ name: sink.name, state: 'ok' } as const)
  })
  return {
    marks: book.of(snapshot.key),
    isChanged,
    sinks: states,
    exitCode: errors.size > 0 ? 3 : 0,
  }
}

/**
 * The mark that makes the change, or says again what holds; undefined where nothing is to be taken back. It stands in the place of this host's own marks, and of those
 * of others that say what is to be taken back.
 * @throws VaultError `not-permitted`
 */
function nextMark(
  before: readonly StoredMark[],
  change: MarkChange,
  host: VaultHost,
): { readonly mark: Mark | undefined; readonly isChanged: boolean } {
  const { pinned, addTags = [], removeTags = [] } = change
  const gone = new Set(removeTags)
  const now = joinMarks(before)
  const isDone =
    (pinned === undefined || (now.pinned === pinned && !now.isUnclear)) &&
    addTags.every((tag) => now.tags.includes(tag)) &&
    !now.tags.some((tag) => gone.has(tag))
  if (isDone && pinned !== true && addTags.length === 0) return { mark: undefined, isChanged: false }
  const mayReplaceAll = roleOf(host) === 'maintain'
  const isOwn = ({ key }: StoredMark): boolean => markAuthorOf(key) === host.hostId
  const isInTheWay = ({ mark }: StoredMark): boolean =>
    mark
      ? (pinned === false && mark.pinned) || mark.tags.some((tag) => gone.has(tag))
      : // What it says is not known: who may says what holds in its place.
        pinned === false || (pinned === true && mayReplaceAll)
  const foreign = before.find((stored) => !isOwn(stored) && isInTheWay(stored))
  if (foreign && !mayReplaceAll) throw notPermitted(foreign)
  const taken = before.filter((stored) => isOwn(stored) || isInTheWay(stored))
  const kept = joinMarks(taken)
  const tags = new Set([...kept.tags.filter((tag) => !gone.has(tag)), ...addTags])
  if (tags.size > MAX_TAGS)
    throw new VaultError('not-permitted', `a snapshot has at most ${MAX_TAGS} tags of one host`)
  const replaces = taken.flatMap(({ key, mark }) => [...(mark?.replaces ?? []), markIdOf(key) ?? ''])
  const mark = {
    pinned: pinned ?? kept.pinned,
    tags: [...tags].sort(),
    // Where there are too many the oldest are left out: such a one, on a sink that was away, may pin again, and does not unpin.
    replaces: [...new Set(replaces)].slice(-MAX_REPLACED),
  }
  return { mark, isChanged: !isDone }
}

function notPermitted({ key }: StoredMark): VaultError {
  return new VaultError(
    'not-permitted',
    `host ${markAuthorOf(key) ?? ''} has said so, and this host's key may not take that back`,
    {
      key,
      hint: 'Do it there, or on a host that maintains the vault ("pipe-backup key hosts" lists them).',
    },
  )
}
