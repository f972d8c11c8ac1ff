import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Policy } from './policy.ts'
import { type RetentionSnapshot, retain } from './retain.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const NOW = Date.parse('2026-11-23T10:00:00Z')

const at = (time: number | string, more: Partial<RetentionSnapshot> = {}): RetentionSnapshot => {
  const date = new Date(time)
  return { id: date.toISOString(), time: date, hostId: 'h', sources: [{ name: 's', state: 'ok' }], ...more }
}
const hourly = (count: number) => Array.from({ length: count }, (_, i) => at(NOW - i * HOUR_MS))
const keptOf = (snapshots: readonly RetentionSnapshot[], policy: Policy, timeZone = 'UTC') =>
  [...retain(snapshots, policy, { timeZone }).kept.keys()].sort()

test('a thousand hourly snapshots under the usual policy: 24 hours, 7 days, 4 weeks, 2 months that there are', () => {
  const { kept, removed } = retain(
    hourly(1000),
    { hourly: 24, daily: 7, weekly: 4, monthly: 12 },
    { timeZone: 'UTC' },
  )
  const count = (rule: string) => [...kept.values()].filter((reasons) => reasons.includes(rule)).length
  expect([count('hourly'), count('daily'), count('weekly'), count('monthly')]).toEqual([24, 7, 4, 2])
  expect(kept.size).toBe(24 + 5 + 2 + 1)
  expect(removed).toHaveLength(1000 - kept.size)
})

test('of each bucket the newest stays; hours without a snapshot do not count', () => {
  const times = ['2026-11-01T10:05Z', '2026-11-01T10:55Z', '2026-11-03T04:00Z', '2026-11-09T23:59Z']
  expect(
    keptOf(
      times.map((time) => at(time)),
      { hourly: 3 },
    ),
  ).toEqual(times.slice(1).map((time) => new Date(time).toISOString()))
})

test('days are those of the time zone', () => {
  const late = at('2026-06-01T23:30:00Z')
  const later = at('2026-06-02T00:30:00Z')
  expect(keptOf([late, later], { daily: 2 }, 'UTC')).toEqual([late.id, later.id])
  expect(keptOf([late, later], { daily: 2 }, 'Europe/Berlin')).toEqual([later.id])
})

test('when the clocks change an hour is left out, or comes twice and counts once', () => {
  const spring = Array.from({ length: 4 }, (_, i) => at(Date.parse('2026-03-28T23:30Z') + i * HOUR_MS))
  expect(keptOf(spring, { hourly: 4 }, 'Europe/Berlin')).toHaveLength(4)
  const autumn = Array.from({ length: 4 }, (_, i) => at(Date.parse('2026-10-24T23:30Z') + i * HOUR_MS))
  // 01:30, 02:30, 02:30 and 03:30 on the wall.
  expect(keptOf(autumn, { hourly: 4 }, 'Europe/Berlin')).toHaveLength(3)
})

test('weeks are those of ISO 8601, also where the year changes', () => {
  const times = ['2026-12-27T12:00Z', '2026-12-28T12:00Z', '2027-01-03T12:00Z', '2027-01-04T12:00Z']
  expect(
    keptOf(
      times.map((time) => at(time)),
      { weekly: 9 },
    ),
  ).toEqual([times[0], times[2], times[3]].map((time) => new Date(time ?? '').toISOString()))
})

test('within counts from the newest', () => {
  expect(keptOf(hourly(100), { within: 5 * HOUR_MS })).toHaveLength(6)
})

test('the last good snapshot of each source stays, however old; of one that never was good the newest', () => {
  const old = at(NOW - 400 * DAY_MS, { sources: [{ name: 'db', state: 'ok' }] })
  const seen = at(NOW - 300 * DAY_MS, { sources: [{ name: 'tree', state: 'incomplete' }] })
  const failing = hourly(50).map((snapshot) => ({
    ...snapshot,
    sources: [
      { name: 'db', state: 'failed' as const },
      { name: 'ok', state: 'ok' as const },
    ],
  }))
  const { kept } = retain([...failing, old, seen], { last: 1 })
  expect([...kept.keys()].sort()).toEqual([old.id, seen.id, failing[0]?.id].sort())
  expect(kept.get(old.id)).toEqual(['last', 'last good of db'])
  expect(kept.get(seen.id)).toEqual(['last', 'last seen of tree'])
})

test('a clock that was years off for one run takes the last good snapshot from no source', () => {
  const [newest, ...older] = hourly(50)
  const failed = (snapshot: RetentionSnapshot): RetentionSnapshot => ({
    ...snapshot,
    sources: [{ name: 's', state: 'failed' }],
  })
  const seen = (snapshot: RetentionSnapshot) => ({ ...snapshot, storedAt: snapshot.time })
  // Good until 20 hours ago; 30 hours ago a run was dated ten years ahead, or 50 years back.
  const snapshots = [newest, ...older].flatMap((snapshot, i) =>
    snapshot ? [i < 20 ? failed(snapshot) : snapshot] : [],
  )
  for (const claimed of ['2036-11-23T10:00Z', '1976-11-23T10:00Z']) {
    const odd = at(claimed, { storedAt: new Date(NOW - 30 * HOUR_MS - 1) })
    const { kept } = retain([...snapshots.map(seen), odd], { last: 5 }, { timeZone: 'UTC' })
    expect(kept.get(new Date(NOW - 20 * HOUR_MS).toISOString())).toEqual(['last', 'last good of s'])
  }
})

test('hosts are thinned out by themselves', () => {
  const others = hourly(10).map((snapshot) => ({ ...snapshot, id: `other ${snapshot.id}`, hostId: 'other' }))
  expect(keptOf([...hourly(10), ...others], { last: 2 })).toHaveLength(4)
})

test('21 days of a good run at 10:00, and a later one of one source, or of a database that failed: each source as if alone', () => {
  const ok = (name: string) => ({ name, state: 'ok' as const })
  const full = Array.from({ length: 21 }, (_, i) =>
    at(NOW - i * DAY_MS, { sources: [ok('wallet'), ok('database')] }),
  )
  const later = (sources: RetentionSnapshot['sources']) =>
    Array.from({ length: 21 }, (_, i) => at(NOW - i * DAY_MS + 13 * HOUR_MS, { sources }))
  const failed = { name: 'database', state: 'failed' as const }
  const partial = { name: 'database', state: 'incomplete' as const }
  for (const others of [[ok('wallet')], [ok('wallet'), failed], [ok('wallet'), partial]]) {
    const kept = keptOf([...full, ...later(others)], { daily: 7, weekly: 4 })
    const good = full.filter(({ id }) => kept.includes(id))
    expect(keptOf(full, { daily: 7, weekly: 4 })).toEqual(good.map(({ id }) => id).sort())
  }
})

test('a piped-in dump every minute thins out no hourly run', () => {
  const runs = hourly(48)
  const piped = Array.from({ length: 1440 }, (_, i) =>
    at(NOW - i * 60_000 - 1000, { sources: [{ name: 'piped', state: 'ok' }] }),
  )
  const kept = keptOf([...runs, ...piped], { hourly: 24 })
  expect(runs.filter(({ id }) => kept.includes(id))).toHaveLength(24)
})

test('a source that is never complete is thinned out like any other, by what it has', () => {
  const partial = hourly(100).map((snapshot) => ({
    ...snapshot,
    sources: [{ name: 's', state: 'incomplete' as const }],
  }))
  expect(keptOf(partial, { hourly: 24 })).toHaveLength(24)
  const good = at(NOW - 50 * HOUR_MS + 1)
  expect(keptOf([...partial, good], { hourly: 24 })).toHaveLength(25)
})

test('two hosts of one name over 60 days, a prune each day: each keeps what it would keep alone', () => {
  const policy = { hourly: 24, daily: 7, weekly: 4, monthly: 12 }
  const days = 60
  const of = (hostId: string, day: number, offsetMs: number) =>
    Array.from({ length: 24 }, (_, hour) => {
      const time = new Date(NOW + day * DAY_MS + hour * HOUR_MS + offsetMs)
      return { ...at(time.getTime()), id: `${hostId} ${time.toISOString()}`, hostId, storedAt: time }
    })
  const prune = (list: readonly RetentionSnapshot[]) => {
    const { kept } = retain(list, policy, { timeZone: 'UTC', floorDays: 7 })
    return list.filter(({ id }) => kept.has(id))
  }
  let one: RetentionSnapshot[] = []
  let two: RetentionSnapshot[] = []
  let both: RetentionSnapshot[] = []
  for (let day = 0; day < days; day++) {
    one = prune([...one, ...of('one', day, 0)])
    two = prune([...two, ...of('two', day, 20 * 60_000)])
    both = prune([...both, ...of('one', day, 0), ...of('two', day, 20 * 60_000)])
  }
  expect(both.map(({ id }) => id).sort()).toEqual([...one, ...two].map(({ id }) => id).sort())
  expect(one).toHaveLength(34)
})

test('snapshots with chosen times never take the place of others', () => {
  const honest = hourly(500).map((snapshot) => ({
    ...snapshot,
    storedAt: new Date(snapshot.time.getTime() + 60_000),
  }))
  const policy = { last: 3, hourly: 24, daily: 7, weekly: 4, monthly: 12 }
  const before = keptOf(honest, policy)
  // Written in one night: a minute behind each honest one, and far ahead of all.
  const junk = [
    ...honest.slice(10).map(({ time }) => at(time.getTime() + 60_000, { storedAt: new Date(NOW) })),
    ...Array.from({ length: 500 }, (_, i) => at(NOW + 10 * DAY_MS + i * DAY_MS, { storedAt: new Date(NOW) })),
  ]
  const kept = keptOf([...honest, ...junk], policy)
  expect(before.filter((id) => !kept.includes(id))).toEqual([])
})

test('a flood that is dated rightly leaves the last of each day', () => {
  const honest = hourly(24 * 6).map((snapshot) => ({ ...snapshot, storedAt: snapshot.time }))
  const flood = Array.from({ length: 1000 }, (_, i) =>
    at(NOW + i * 1000, { storedAt: new Date(NOW + i * 1000) }),
  )
  const { kept } = retain([...honest, ...flood], { last: 10 }, { timeZone: 'UTC', floorDays: 7 })
  const days = new Set(honest.filter(({ id }) => kept.has(id)).map(({ id }) => id.slice(0, 10)))
  expect(days.size).toBeGreaterThanOrEqual(5)
})

test.for<[string, Policy]>([
  ['an empty policy', {}],
  ['a policy of zeros', { hourly: 0, daily: 0 }],
  ['a negative count', { daily: -1, last: 1 }],
  ['a half', { hourly: 1.5 }],
])('%s is refused', ([, policy]) => {
  expect(() => retain(hourly(3), policy)).toThrow(expect.objectContaining({ code: 'bad-policy' }))
})

const snapshots = fc
  .array(
    fc.record({
      minutes: fc.integer({ min: -600_000, max: 600_000 }),
      hostId: fc.constantFrom('a', 'b'),
      late: fc.option(fc.integer({ min: -5000, max: 5000 }), { nil: undefined }),
      sources: fc.array(
        fc.record({
          name: fc.constantFrom('x', 'y', 'z'),
          state: fc.constantFrom('ok' as const, 'incomplete' as const, 'failed' as const),
        }),
        { maxLength: 3 },
      ),
    }),
    { maxLength: 80 },
  )
  .map((list) =>
    list.map(({ minutes, hostId, late, sources }, i): RetentionSnapshot => {
      const time = new Date(NOW + minutes * 60_000)
      const unique = sources.filter(
        (source, at) => sources.findIndex(({ name }) => name === source.name) === at,
      )
      return {
        id: String(i),
        time,
        hostId,
        sources: unique,
        ...(late !== undefined && { storedAt: new Date(time.getTime() + late * 60_000) }),
      }
    }),
  )
const count = fc.option(fc.integer({ min: 0, max: 10 }), { nil: undefined })
const policies = fc
  .record({ last: count, hourly: count, daily: count, weekly: count, monthly: count, yearly: count })
  .filter((policy) => Object.values(policy).some((value) => value !== undefined && value > 0))
const zones = fc.constantFrom(
  'UTC',
  'Europe/Berlin',
  'America/New_York',
  'Australia/Lord_Howe',
  'Asia/Kathmandu',
)

test('every snapshot is kept or removed; the order in which they come says nothing', () => {
  fc.assert(
    fc.property(snapshots, policies, zones, (list, policy, timeZone) => {
      const { kept, removed } = retain(list, policy, { timeZone })
      expect([...kept.keys(), ...removed].sort()).toEqual(list.map(({ id }) => id).sort())
      const turned = retain(list.toReversed(), policy, { timeZone })
      expect([...turned.kept.keys()].sort()).toEqual([...kept.keys()].sort())
    }),
  )
})

test('what was kept is kept the next time: to thin out twice is to thin out once', () => {
  fc.assert(
    fc.property(snapshots, policies, zones, (list, policy, timeZone) => {
      const { kept } = retain(list, policy, { timeZone })
      const again = retain(
        list.filter(({ id }) => kept.has(id)),
        policy,
        { timeZone },
      )
      expect(again.removed).toEqual([])
    }),
  )
})

test('of each host the newest stays, and a good one of each source that ever was good', () => {
  fc.assert(
    fc.property(snapshots, policies, zones, (list, policy, timeZone) => {
      const { kept } = retain(list, policy, { timeZone })
      for (const ofHost of Map.groupBy(list, ({ hostId }) => hostId).values()) {
        const useful = ofHost.filter(({ sources }) => sources.some(({ state }) => state === 'ok'))
        const newest = Math.max(...useful.map(({ time }) => time.getTime()))
        const isKept = useful.some(({ id, time }) => kept.has(id) && time.getTime() === newest)
        expect(isKept).toBe(useful.length > 0)
        for (const name of ['x', 'y', 'z']) {
          const good = ofHost.filter(({ sources }) =>
            sources.some((it) => it.name === name && it.state === 'ok'),
          )
          if (good.length > 0) expect(good.some(({ id }) => kept.has(id))).toBe(true)
        }
      }
    }),
  )
})

test('a larger policy keeps all that a smaller one keeps', () => {
  fc.assert(
    fc.property(snapshots, policies, policies, zones, (list, one, other, timeZone) => {
      const rules = ['last', 'hourly', 'daily', 'weekly', 'monthly', 'yearly'] as const
      const both = Object.fromEntries(rules.map((rule) => [rule, Math.max(one[rule] ?? 0, other[rule] ?? 0)]))
      const { kept } = retain(list, both, { timeZone })
      for (const id of retain(list, one, { timeZone }).kept.keys()) expect(kept.has(id)).toBe(true)
    }),
  )
})
