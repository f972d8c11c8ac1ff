import { type BigIntStats, lstatSync } from 'node:fs'
import { type Entry, SourceError } from '@pipe-backup/source'
import { AttributeReader } from './attributes.ts'
import { claimsAt, isExcludedAsAny } from './claims.ts'
import { enterDirectory, isStillThere } from './enter-directory.ts'
import { Excludes } from './excludes.ts'
import { type Failure, MIXED, replaced, report, toFailure, toSourceError } from './failure.ts'
import type { FilesOptions } from './files.ts'
import { Links } from './links.ts'
import { withPath } from './long-path.ts'
import { Opener } from './opener.ts'
import { Owners } from './owners.ts'
import { Pace } from './pace.ts'
import { isWithin, realPath, withLinkTargets } from './roots.ts'
import { type Frame, Route } from './route.ts'
import { toEntry } from './to-entry.ts'

/** One walk over configured paths (absolute, sorted, each once), as `files()` promises it. */
export async function* walk(
  configured: readonly Buffer[],
  options: FilesOptions,
): AsyncGenerator<Entry, void, undefined> {
  const { signal, onProblem } = options
  signal?.throwIfAborted()
  const excludes = new Excludes(options.exclude ?? [])
  const attributes = await AttributeReader.load()
  const shared = {
    owners: new Owners(),
    links: new Links(),
    opener: new Opener(),
    attributes,
    signal,
    onProblem,
  }
  const roots = withLinkTargets(configured)
  const losses: Failure[] = []
  /** A source that has lost all its paths has failed: nothing at all is no backup of it. */
  const lose = (failure: Failure, root: Buffer) => {
    if (roots.length === 1) throw toSourceError(failure, root.subarray(1))
    losses.push(failure)
    report(failure, root.subarray(1), onProblem)
  }
  const leave = ({ prefix, stat }: Frame) => {
    if (!isStillThere(prefix, stat)) report(MIXED, prefix.subarray(1, -1), onProblem)
  }
  const route = new Route(roots, leave)
  const pace = new Pace()

  for (let stop = route.next(); stop !== undefined; stop = route.next()) {
    if (pace.due) await pace.rest()
    signal?.throwIfAborted()

    const { absolute, isRoot } = stop
    const path = absolute.subarray(1)
    let stat: BigIntStats
    try {
      stat = withPath(absolute, look)
    } catch (cause) {
      const failure = toFailure(cause, 'not looked at')
      if (isRoot) lose(failure, absolute)
      else if (!isExcludedAsAny(stop, excludes)) report(failure, path, onProblem)
      continue
    }
    const isDirectory = stat.isDirectory()
    const claims = claimsAt(stop, isDirectory, stat.dev, excludes)
    if (claims.length === 0) continue

    // The root of the file system has no name: what is in it are entries, itself is none.
    if (path.length > 0) {
      let entry: Entry | undefined
      let failure: Failure = { code: 'skipped', message: 'a socket: there is nothing in it to keep' }
      try {
        entry = toEntry(absolute, stat, shared)
      } catch (cause) {
        failure = toFailure(cause, 'not read')
      }
      if (entry === undefined) {
        report(failure, path, onProblem)
        continue
      }
      yield entry
      signal?.throwIfAborted()
    }

    if (isRoot && stat.isSymbolicLink()) {
      const failure = leadsElsewhere(absolute, roots)
      if (failure !== undefined) lose(failure, absolute)
    }
    if (isDirectory) {
      try {
        const frame = await enterDirectory(absolute, stat, claims, options)
        if (frame === 'replaced') report(replaced('directory'), path, onProblem)
        else if (frame !== undefined) route.enter(frame)
      } catch (cause) {
        report(toFailure(cause, 'not listed'), path, onProblem)
      }
    }
  }

  attributes.finish(onProblem)
  const [first] = losses
  if (first !== undefined && losses.length === roots.length)
    throw new SourceError(first.code, `none of its ${roots.length} paths is there`)
}

function leadsElsewhere(absolute: Buffer, roots: readonly Buffer[]): Failure | undefined {
  try {
    const real = realPath(absolute)
    if (roots.some((root) => isWithin(real, root))) return undefined
    return { code: 'changed', message: 'it has become a link to another place since the walk began' }
  } catch (cause) {
    return toFailure(cause, 'a symbolic link to what can not be reached')
  }
}

function look(path: Buffer): BigIntStats {
  return lstatSync(path, { bigint: true })
}
