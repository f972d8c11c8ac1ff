import { type Sink, SinkError } from '@pipe-backup/sink'
import { type MemorySink, memorySink } from '@pipe-backup/sink/testing'
import { expect, test } from 'vitest'
import { checkSink } from './check-sink.ts'

const check = (sink: Sink, bytesPerWeek?: number, unguarded?: Sink) =>
  checkSink(sink, {
    vaultId: undefined,
    signal: new AbortController().signal,
    bytesPerWeek,
    unguarded,
  })
const refusing = (good: MemorySink): MemorySink => ({
  ...good,
  delete: async (key) => {
    throw new SinkError('forbidden', 'not deleted: access denied', { sink: good.name, key })
  },
})

test('a sink that does all it should is well, and holds nothing more than before', async () => {
  const sink = memorySink('good')
  expect(await check(sink)).toMatchObject([{ state: 'ok', message: expect.stringContaining('deleted') }])
  expect(sink.objects.size).toBe(0)
})

test('a probe that a killed check has left goes with the next', async () => {
  let now = Date.now() - 7_200_000
  const sink = memorySink('good', () => new Date(now))
  await sink.put('probes/0123456789abcdef', Buffer.from('left'))
  now = Date.now()
  await check(sink)
  expect(sink.objects.size).toBe(0)
})

test.for([
  [12 * 60_000, /12 min 0 s ahead of this machine's/],
  [-3 * 3_600_000, /3 h 0 min behind this machine's/],
] as const)('a clock that is %i ms wrong is reported', async ([skewMs, message]) => {
  const findings = await check(memorySink('odd', () => new Date(Date.now() + skewMs)))
  expect(findings).toMatchObject([{ state: 'ok' }, { state: 'warning' }])
  expect(findings[1]?.message).toMatch(message)
})

/** One that also lets nothing be replaced. */
function keeping(good: MemorySink): MemorySink {
  const put: Sink['put'] = async (key, bytes, options) => {
    if (good.objects.has(key)) throw new SinkError('forbidden', 'is another object', { sink: good.name, key })
    await good.put(key, bytes, options)
  }
  return { ...good, put }
}

test('a refused delete is reported, unless the sink is to be append-only', async () => {
  const reported = await check(refusing(keeping(memorySink('kept'))))
  expect(reported[1]).toMatchObject({
    state: 'warning',
    message: expect.stringContaining('`prune` can free nothing'),
  })
  const good = keeping(memorySink('kept'))
  const meant = await check(refusing({ ...good, appendOnly: true }))
  expect(meant.map(({ state }) => state)).toEqual(['ok', 'ok'])
})

test('a sink that deletes nothing, and lets all be replaced, is not taken for one that keeps', async () => {
  const good = memorySink('half')
  const found = await check(refusing({ ...good, appendOnly: true }))
  expect(found[1]).toMatchObject({
    state: 'warning',
    message: expect.stringContaining('lets it be replaced'),
    hint: expect.stringContaining('-no-overwrite'),
  })
})

test('what the sink itself refuses, its server need not: that is tried without the sink', async () => {
  const good = memorySink('guarded')
  const guarded: Sink = { ...refusing(keeping(good)), appendOnly: true }
  const trials: [Sink, 'ok' | 'warning', string][] = [
    [good, 'warning', 'lets the probe be deleted, though `appendOnly`'],
    [refusing(good), 'warning', 'lets it be replaced by other bytes'],
    [refusing(keeping(good)), 'ok', 'append-only, as it should be'],
  ]
  for (const [unguarded, state, message] of trials)
    expect((await check(guarded, undefined, unguarded))[1]).toMatchObject({
      state,
      message: expect.stringContaining(message),
    })
})

test.for<[string, (good: MemorySink) => Partial<Sink>]>([
  ['other bytes', () => ({ get: async () => new Uint8Array(64) })],
  ['does not list', () => ({ list: async function* () {} })],
  ['still shows', () => ({ delete: async () => undefined })],
  [
    'quota',
    (good) => ({
      put: async (key) => {
        throw new SinkError('full', 'not stored: the quota is used up', { sink: good.name, key })
      },
    }),
  ],
])('what is wrong is a failure: %s', async ([message, flaw]) => {
  const good = memorySink('flawed')
  const findings = await check({ ...good, ...flaw(good) })
  expect(findings.filter(({ state }) => state === 'failure')).toMatchObject([
    { message: expect.stringContaining(message) },
  ])
})

test.for([
  [10 * 1024 ** 2, undefined, 'failure'],
  [500 * 1024 ** 2, undefined, 'warning'],
  [2 * 1024 ** 3, undefined, 'ok'],
  [2 * 1024 ** 3, 1024 ** 3, 'warning'],
  [undefined, 1024 ** 3, undefined],
] as const)('of %i free bytes with %i a week it says: %s', async ([free, bytesPerWeek, state]) => {
  const findings = await check({ ...memorySink('some'), freeBytes: async () => free }, bytesPerWeek)
  expect(findings[1]?.state).toBe(state)
})
