import type { MemorySink } from '@pipe-backup/sink/testing'
import { type MarkReport, markSnapshot } from '@pipe-backup/vault'
import type { StressHost } from './stress-host.ts'
import type { Operation, StressWorld } from './stress-world.ts'

const MARK = /^marks\/(.+)-([0-9a-f]{32})-([0-9a-f]{16})$/

interface Said {
  readonly key: string
  readonly snapshot: string
  readonly author: string
  readonly id: string
  readonly pinned: boolean
  readonly replaces: readonly string[]
}

/** Keys of the snapshots that the marks on these sinks pin, as docs/format.md joins them: the program is not asked. */
export function pinnedOn({ oracle, roles }: StressWorld, stores: readonly MemorySink[]): Set<string> {
  const marks = [...oracle.marksOn(stores)].map(([key, mark]): Said => {
    const [, snapshot = '', author = '', id = ''] = MARK.exec(key) ?? []
    return { key, snapshot: `snapshots/${snapshot}`, author, id, ...mark }
  })
  const isReplaced = (mark: Said): boolean =>
    marks.some(
      ({ snapshot, author, replaces }) =>
        snapshot === mark.snapshot &&
        replaces.includes(mark.id) &&
        (author === mark.author || roles.get(author) === 'maintain'),
    )
  return new Set(marks.flatMap((mark) => (mark.pinned && !isReplaced(mark) ? [mark.snapshot] : [])))
}

/** @param key - of the snapshot */
export function pin(
  world: StressWorld,
  host: StressHost,
  key: string,
  pinned: boolean,
): Operation<MarkReport> {
  const holders = world.stores.filter(({ objects }) => objects.has(key)).map(({ name }) => name)
  const snapshot = { id: key.slice(-16), key, sinks: holders }
  return {
    what: `${pinned ? 'pin' : 'unpin'} by ${host.name}`,
    host,
    act: (sinks, signal) =>
      markSnapshot({ host: world.callOf(host).host, sinks, snapshot, change: { pinned }, signal }),
  }
}

/** What was said on all sinks must hold on each. */
export function checkPinned(world: StressWorld, key: string, pinned: boolean, report: MarkReport): void {
  if (report.exitCode !== 0) return
  for (const store of world.stores)
    if (pinnedOn(world, [store]).has(key) !== pinned)
      world.violate(
        `${key} is ${pinned ? 'not pinned' : 'pinned still'} on ${store.name}, where that was done`,
      )
}

/** Keys of snapshots of which marks are shown, and open nowhere. */
export function unreadMarks({ oracle, stores }: StressWorld): Set<string> {
  const read = oracle.marksOn(stores)
  const shown = stores.flatMap(({ objects }) => [...objects.keys()])
  return new Set(
    shown.flatMap((key) => {
      const [, snapshot] = MARK.exec(key) ?? []
      return snapshot === undefined || read.has(key) ? [] : [`snapshots/${snapshot}`]
    }),
  )
}
