import type { BigIntStats } from 'node:fs'
import { lstat } from 'node:fs/promises'
import { type Entry, SourceError } from '@pipe-backup/source'
import { AttributeReader } from './attributes.ts'
import { claimsAt, isExcludedAsAny } from './claims.ts'
import { displayPath } from './display-path.ts'
import { enterDirectory, isStillThere } from './enter-directory.ts'
import { Excludes } from './excludes.ts'
import { type Failure, MIXED, replaced, report, toFailure, toSourceError } from './failure.ts'
import { type FileCalls, LOCAL, remoteCalls, within } from './file-calls.ts'
import type { FilesOptions } from './files.ts'
import { LeftOut } from './left-out.ts'
import { Links } from './links.ts'
import { type FilesMemory, judge, parseSeen } from './memory.ts'
import { isKernelType, isRemoteType, Mounts } from './mounts.ts'
import { Opener } from './opener.ts'
import { Outcome, type Tally } from './outcome.ts'
import { Owners } from './owners.ts'
import { Pace } from './pace.ts'
import { isWithin, parentOf, realPath, resolveRoots } from './roots.ts'
import { type Frame, Route, type Stop } from './route.ts'
import { toEntry } from './to-entry.ts'

/** What a walk is measured by. */
export interface Review {
  readonly memory?: FilesMemory | undefined
  readonly allowEmpty?: boolean | undefined
}

/** How long a mount point is waited for that lies in what was asked for: servers take their time to start. */
const ANSWER_MS = 60_000

/** A mount point that has not answered. */
class Unanswered extends Error {
  readonly failure: Failure

  constructor(answerMs: number) {
    super('a mount point has not answered')
    const message = `not taken: what is mounted there has not answered for ${answerMs / 1000} s`
    this.failure = { code: 'unreadable', message, cause: this }
  }
}

/** One walk over configured paths (absolute, sorted, each once), as `files()` promises it. */
export async function* walk(
  configured: readonly Buffer[],
  options: FilesOptions,
  review: Review = {},
): AsyncGenerator<Entry, void, undefined> {
  const { signal, onProblem, onNote } = options
  signal?.throwIfAborted()
  const past = parseSeen(await review.memory?.read())
  const outcome = new Outcome(past?.caches)
  const mounts = await Mounts.read()
  const { all: roots, resolved, aliases } = await resolveRoots(configured, signal)
  const excludes = new Excludes(options.exclude ?? [], roots, aliases)
  const leftOut = await LeftOut.find(options.leaveOut ?? [], signal)
  const attributes = await AttributeReader.load(signal)
  const shared = {
    owners: new Owners(),
    links: new Links(),
    opener: new Opener(),
    attributes,
    signal,
    onProblem,
  }
  const remote = remoteCalls(signal)
  const callsFor = (type: string | undefined): FileCalls => (isRemoteType(type) ? remote : LOCAL)
  const rootCalls = new Map(
    resolved.map(({ root, real }) => [root.toString('latin1'), callsFor(mounts.typeAt(real))]),
  )
  const mountsBelow = mounts.byDirectory(resolved)
  const callsAt = ({ absolute, nameAt, isRoot, parent }: Stop): FileCalls => {
    if (isRoot || parent === undefined) return rootCalls.get(absolute.toString('latin1')) ?? LOCAL
    const type = parent.mounts?.get(absolute.toString('latin1', nameAt))
    return type === undefined ? parent.calls : callsFor(type)
  }

  const losses: Failure[] = []
  /** A source that has lost all its paths has failed: nothing at all is no backup of it. */
  const lose = (failure: Failure, root: Buffer) => {
    if (roots.length === 1) throw toSourceError(failure, root.subarray(1))
    losses.push(failure)
    report(failure, root.subarray(1), onProblem)
  }
  const left: Frame[] = []
  const route = new Route(roots, (frame) => left.push(frame))
  const pace = new Pace()

  for (;;) {
    const stop = route.next()
    for (const frame of left.splice(0))
      if (!(await isStillThere(frame, signal))) report(MIXED, frame.prefix.subarray(1, -1), onProblem)
    if (stop === undefined) break
    if (pace.due) await pace.rest()
    signal?.throwIfAborted()

    const { absolute, isRoot, parent } = stop
    const path = absolute.subarray(1)
    let calls = callsAt(stop)
    // What answers late, or never, is not even asked when it is not wanted; else it holds up itself alone.
    const isEntrance = !isRoot && parent !== undefined && calls !== parent.calls && !calls.isLocal
    if (isEntrance && isExcludedAsAny(stop, excludes)) continue
    let stat: BigIntStats
    try {
      const looked = isEntrance ? askMountPoint(absolute, options) : calls.lstat(absolute)
      stat = looked instanceof Promise ? await looked : looked
    } catch (cause) {
      const failure = cause instanceof Unanswered ? cause.failure : toFailure(cause, 'not looked at')
      if (isRoot) lose(failure, absolute)
      else if (!isExcludedAsAny(stop, excludes)) report(failure, path, onProblem)
      continue
    }
    const isDirectory = stat.isDirectory()
    const claims = claimsAt(stop, isDirectory, stat.dev, excludes, outcome)
    if (claims.length === 0) continue
    if (isDirectory) {
      const what = leftOut.whatIs(stat)
      if (what !== undefined) {
        if (isRoot) lose({ code: 'skipped', message: `not taken: it is ${what}` }, absolute)
        onNote?.({ kind: 'left-out', path: displayPath(path), message: `it is ${what}` })
        continue
      }
    }

    // The root of the file system has no name: what is in it are entries, itself is none.
    if (path.length > 0) {
      let entry: Entry | undefined
      let failure: Failure = { code: 'skipped', message: 'a socket: there is nothing in it to keep' }
      try {
        const made = toEntry(absolute, stat, shared, calls)
        entry = made instanceof Promise ? await made : made
      } catch (cause) {
        failure = toFailure(cause, 'not read')
      }
      if (entry === undefined) {
        report(failure, path, onProblem)
        continue
      }
      outcome.entries++
      if (entry.type === 'file') outcome.bytes += entry.size ?? 0
      for (const { root, tally } of claims) if (root !== absolute) tally.entries++
      yield entry
      signal?.throwIfAborted()
    }

    if (isRoot && stat.isSymbolicLink()) {
      const failure = await leadsElsewhere(absolute, roots, signal)
      if (failure !== undefined) lose(failure, absolute)
    }
    if (!isDirectory) continue
    try {
      const own = claims.find(({ root }) => root === absolute)
      if (own !== undefined) await noteMountPoint(absolute, stat, own.tally, signal)
      else if (parent !== undefined && stat.dev !== parent.stat.dev) {
        const type = await mounts.typeOf(absolute, stat, signal)
        if (isKernelType(type)) {
          const message = `what is in it: it is no file system of files (${type})`
          report({ code: 'skipped', message }, path, onProblem)
          continue
        }
        calls = callsFor(type)
      }
      const inside = await enterDirectory(absolute, stat, claims, calls, options)
      if (inside === 'replaced') report(replaced('directory'), path, onProblem)
      else if (inside !== undefined) {
        // An automounter may have put another file system there.
        if (inside.stat.dev !== stat.dev) calls = callsFor(await mounts.typeOf(absolute, inside.stat, signal))
        if (own !== undefined) own.tally.isListed = true
        if (inside.isCache) outcome.cache(displayPath(path), onNote)
        route.enter({ ...inside, calls, mounts: mountsBelow.get(inside.prefix.toString('latin1')) })
      }
    } catch (cause) {
      report(toFailure(cause, 'not listed'), path, onProblem)
    }
  }

  attributes.finish(onProblem)
  const [first] = losses
  if (first !== undefined && losses.length === roots.length)
    throw new SourceError(first.code, `none of its ${roots.length} paths is there`)

  outcome.unmatched = excludes.unmatched()
  const { lost, notes, seen } = judge(past, outcome, roots, review.allowEmpty)
  for (const { root, failure } of lost) report(failure, root.subarray(1), onProblem)
  for (const note of notes) onNote?.(note)
  await review.memory?.write(seen)
}

/** @throws Unanswered, and system errors */
async function askMountPoint(
  absolute: Buffer,
  { signal, answerMs = ANSWER_MS }: FilesOptions,
): Promise<BigIntStats> {
  const tooLong = AbortSignal.timeout(answerMs)
  try {
    return await remoteCalls(signal ? AbortSignal.any([signal, tooLong]) : tooLong).lstat(absolute)
  } catch (cause) {
    signal?.throwIfAborted()
    if (!tooLong.aborted) throw cause
    throw new Unanswered(answerMs)
  }
}

/** Notes whether something is mounted on a configured path: whether it is on another device than what it is in. */
async function noteMountPoint(
  absolute: Buffer,
  { dev }: BigIntStats,
  tally: Tally,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (absolute.length === 1) return
  try {
    const above = await within(signal, () => lstat(parentOf(absolute), { bigint: true }))
    tally.isMountPoint = above.dev !== dev
  } catch {
    signal?.throwIfAborted()
  }
}

async function leadsElsewhere(
  absolute: Buffer,
  roots: readonly Buffer[],
  signal: AbortSignal | undefined,
): Promise<Failure | undefined> {
  try {
    const real = await realPath(absolute, signal)
    if (roots.some((root) => isWithin(real, root))) return undefined
    return { code: 'changed', message: 'it has become a link to another place since the walk began' }
  } catch (cause) {
    signal?.throwIfAborted()
    return toFailure(cause, 'a symbolic link to what can not be reached')
  }
}
