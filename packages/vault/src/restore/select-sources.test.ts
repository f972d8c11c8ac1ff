import { expect, test } from 'vitest'
import type { SnapshotHead } from '../format/snapshot-object.ts'
import { type SnapshotInfo, toSnapshotInfo } from '../store/snapshots.ts'
import { selectSources } from './select-sources.ts'

type State = 'ok' | 'incomplete' | 'failed'
const OWN = 'aa'.repeat(16)
const OTHER = 'bb'.repeat(16)
let made = 0

/** A snapshot of an hour of a day, with these sources. */
function at(hour: number, states: Readonly<Record<string, State>>, hostId = OWN): SnapshotInfo {
  const id = (++made).toString(16).padStart(16, '0')
  const head: SnapshotHead = {
    version: 1,
    id,
    time: new Date(Date.UTC(2026, 10, 23, hour)).toISOString(),
    host: 'debian',
    hostId,
    program: 'p',
    sources: Object.entries(states).map(([name, state]) => ({
      name,
      state,
      root: 'ab'.repeat(32),
      entries: 1,
      bytes: 1,
      problems: 0,
      ...(state === 'failed' && { error: 'no route' }),
    })),
    packs: [[id.repeat(4), '']],
  }
  return toSnapshotInfo(`snapshots/${id}`, head, new Date(head.time), [])
}
const hoursOf = ({ from }: ReturnType<typeof selectSources>) =>
  Object.fromEntries([...from].map(([name, { time }]) => [name, time.getUTCHours()]))

test('after a partial run `latest` is the newest good copy of each source that is asked for', () => {
  const snapshots = [
    at(9, { wallet: 'ok', database: 'ok' }),
    at(10, { wallet: 'ok', database: 'ok' }),
    at(11, { wallet: 'ok' }),
  ]
  const all = selectSources({ snapshots, spec: 'latest' })
  expect(hoursOf(all)).toEqual({ wallet: 11, database: 10 })
  expect(all.shortcomings).toEqual([])
  expect(all.snapshot.id).toBe(snapshots[2]?.id)
  expect(all.snapshot.head.packs).toHaveLength(2)
  expect(hoursOf(selectSources({ snapshots, spec: 'latest', sources: ['database'] }))).toEqual({
    database: 10,
  })
  expect(hoursOf(selectSources({ snapshots, spec: 'latest~1', sources: ['database', 'wallet'] }))).toEqual({
    database: 9,
    wallet: 10,
  })
  expect(hoursOf(selectSources({ snapshots, spec: '2026-11-23T09:30Z', sources: ['database'] }))).toEqual({
    database: 9,
  })
})

test('where the newest reading failed or is incomplete the good one before is taken, and that is said', () => {
  for (const state of ['failed', 'incomplete'] as const) {
    const snapshots = [at(9, { database: 'ok' }), at(10, { database: state, wallet: 'ok' })]
    const { from, shortcomings } = selectSources({ snapshots, spec: 'latest', sources: ['database'] })
    expect(from.get('database')).toBe(snapshots[0])
    expect(shortcomings).toEqual([
      expect.stringMatching(
        /^snapshot \w{16}: source "database" (failed: no route|is incomplete: no route|is incomplete); taken from snapshot/,
      ),
    ])
  }
})

test('of a source that never was complete the newest part is taken, and that is said', () => {
  const snapshots = [at(9, { tree: 'incomplete' }), at(10, { tree: 'incomplete' })]
  const { from, shortcomings } = selectSources({ snapshots, spec: 'latest' })
  expect(from.get('tree')).toBe(snapshots[1])
  expect(shortcomings).toHaveLength(1)
})

test('an id is exactly that snapshot, and what is wrong with what is asked of it is said', () => {
  const snapshots = [at(9, { database: 'ok', wallet: 'ok' }), at(10, { database: 'failed', wallet: 'ok' })]
  const id = snapshots[1]?.id ?? ''
  expect(selectSources({ snapshots, spec: id }).shortcomings).toHaveLength(1)
  expect(selectSources({ snapshots, spec: id, sources: ['wallet'] }).shortcomings).toEqual([])
})

test('a newer snapshot that can not be read is named, one that is older or later than what is asked for is not', () => {
  const snapshots = [at(9, { s: 'ok' }), at(10, { s: 'ok' })]
  const unreadable = [{ key: 'snapshots/bad', time: new Date('2026-11-23T10:30:00Z') }]
  const of = (spec: string) => selectSources({ snapshots, spec, unreadable }).shortcomings
  expect(of('latest')).toEqual(["snapshots/bad is newer than what is read here, and can't be read"])
  expect(of('latest~1')).toHaveLength(1)
  expect(of('2026-11-23T10:15Z')).toEqual([])
  expect(of('2026-11-23')).toHaveLength(1)
  const old = [{ key: 'snapshots/old', time: new Date('2026-11-23T08:30:00Z') }]
  expect(selectSources({ snapshots, spec: 'latest', unreadable: old }).shortcomings).toEqual([])
})

test('`latest` of a host is its own, whatever others of its name have stored since', () => {
  const snapshots = [at(9, { s: 'ok' }), at(10, { s: 'ok' }, OTHER)]
  expect(hoursOf(selectSources({ snapshots, spec: 'latest', hostId: OWN }))).toEqual({ s: 9 })
  expect(hoursOf(selectSources({ snapshots, spec: 'latest', hostId: 'cc'.repeat(16) }))).toEqual({ s: 10 })
})

test('sources that the configuration no longer has are not brought back unasked', () => {
  const snapshots = [at(9, { old: 'ok', s: 'ok' }), at(10, { s: 'ok' })]
  expect(hoursOf(selectSources({ snapshots, spec: 'latest', expected: ['s'] }))).toEqual({ s: 10 })
  expect(hoursOf(selectSources({ snapshots, spec: 'latest' }))).toEqual({ old: 9, s: 10 })
})

test('what no snapshot has is refused by name', () => {
  const snapshots = [at(9, { s: 'ok', bad: 'failed' })]
  for (const sources of [['nothing'], ['s', 'nothing'], ['bad']])
    expect(() => selectSources({ snapshots, spec: 'latest', sources })).toThrow(
      expect.objectContaining({ code: 'not-found' }),
    )
  expect(() => selectSources({ snapshots, spec: 'latest~7' })).toThrow('there is no snapshot latest~7')
})
