import { expect, test } from 'vitest'
import { sealObject } from '../format/sealed-object.ts'
import { type SnapshotHead, sealSnapshot, snapshotKey } from '../format/snapshot-object.ts'
import { MemorySink } from '../test-support/memory-sink.ts'
import { codeOf, outcomeOf } from '../test-support/outcome.ts'
import { HOST } from '../test-support/test-host.ts'
import { listSnapshots, type SnapshotInfo, selectSnapshot } from './snapshots.ts'

const { keys } = HOST

function head(id: string, time: string): SnapshotHead {
  return { version: 1, id, time, host: 'h', hostId: '00'.repeat(16), program: 'p', sources: [], packs: [] }
}

function put(sink: MemorySink, id: string, time: string): string {
  const key = snapshotKey(new Date(time), id)
  sink.objects.set(key, sealSnapshot(HOST, key, head(id, time)))
  return key
}

const IDS = ['aaaa000000000001', 'aaab000000000002', 'b000000000000003'] as const
const [FIRST, SECOND, THIRD] = IDS

function threeSnapshots(sink = new MemorySink('one')): MemorySink {
  put(sink, SECOND, '2026-11-22T10:00:00.000Z')
  put(sink, FIRST, '2026-11-21T10:00:00.000Z')
  put(sink, THIRD, '2026-11-23T10:00:00.000Z')
  return sink
}

test('snapshots come oldest first, each with the sinks that hold it', async () => {
  const [one, two] = [threeSnapshots(), threeSnapshots(new MemorySink('two'))]
  two.objects.delete(snapshotKey(new Date('2026-11-22T10:00:00Z'), SECOND))
  const found = await listSnapshots({ sinks: [one, two], keys })
  expect(found.map(({ id, sinks }) => [id, ...sinks])).toEqual([
    [FIRST, 'one', 'two'],
    [SECOND, 'one'],
    [THIRD, 'one', 'two'],
  ])
})

test('a snapshot from a host whose clock was years ahead is where the sink stored it, not the latest until then', async () => {
  let now = new Date('2020-01-01T10:00:00Z')
  const sink = new MemorySink('one', () => now)
  const store = async (id: string, time: string) => {
    const key = snapshotKey(new Date(time), id)
    await sink.put(key, sealSnapshot(HOST, key, head(id, time)))
    now = new Date(now.getTime() + 3_600_000)
  }
  await store(FIRST, '2020-01-01T10:00:00.000Z')
  await store(SECOND, '2999-01-01T11:00:00.000Z')
  await store(THIRD, '2020-01-01T12:00:00.000Z')
  const found = await listSnapshots({ sinks: [sink], keys })
  expect(found.map(({ id }) => id)).toEqual(IDS)
  expect(selectSnapshot(found, 'latest').id).toBe(THIRD)
})

test('a damaged snapshot is named and read from another sink; a sink that is away is reported', async () => {
  const [one, two, away] = [threeSnapshots(), threeSnapshots(new MemorySink('two')), new MemorySink('away')]
  away.before = () => {
    throw away.error('unreachable')
  }
  const key = snapshotKey(new Date('2026-11-22T10:00:00Z'), SECOND)
  one.objects.set(key, Buffer.from('rubbish'))
  const problems: Error[] = []
  const found = await listSnapshots({
    sinks: [one, two, away],
    keys,
    onProblem: (error) => problems.push(error),
  })
  expect(found.map(({ id }) => id)).toEqual(IDS)
  expect(problems).toEqual([
    expect.objectContaining({ code: 'unreachable', sink: 'away' }),
    expect.objectContaining({
      code: 'corrupt',
      sink: 'one',
      key,
      message: expect.stringContaining('sink "one"'),
    }),
  ])
})

test('a snapshot of a later version is reported as that, and the others are listed', async () => {
  const sink = threeSnapshots()
  const key = snapshotKey(new Date('2026-11-24T10:00:00Z'), 'c'.repeat(16))
  sink.objects.set(key, sealObject(HOST, key, Buffer.from('{"version":2}')))
  const problems: Error[] = []
  const found = await listSnapshots({ sinks: [sink], keys, onProblem: (error) => problems.push(error) })
  expect(found.map(({ id }) => id)).toEqual(IDS)
  expect(problems.map(codeOf)).toEqual(['unsupported-version'])
})

test('objects that are no snapshots are passed over', async () => {
  const sink = threeSnapshots()
  sink.objects.set('snapshots/readme', Buffer.from('x'))
  expect(await listSnapshots({ sinks: [sink], keys })).toHaveLength(3)
})

test('when no sink answers the first one’s error is thrown', async () => {
  const away = new MemorySink('away')
  away.before = () => {
    throw away.error('timeout')
  }
  await expect(listSnapshots({ sinks: [away, away], keys })).rejects.toMatchObject({ code: 'timeout' })
})

const listed = await listSnapshots({ sinks: [threeSnapshots()], keys })
const idOf = (spec: string, snapshots: readonly SnapshotInfo[] = listed) => selectSnapshot(snapshots, spec).id

test.for([
  ['latest', THIRD],
  ['latest~0', THIRD],
  ['latest~2', FIRST],
  ['b', THIRD],
  ['aaab', SECOND],
  [FIRST, FIRST],
  ['2026-11-22T10:00Z', SECOND],
  ['2026-11-22T09:59:59Z', FIRST],
  ['2030-01-01', THIRD],
])('%s is %s', ([spec, id]) => {
  expect(idOf(spec ?? '')).toBe(id)
})

test.for([
  ['latest~3', 'not-found'],
  ['aa', 'ambiguous'],
  ['', 'not-found'],
  ['ffff', 'not-found'],
  ['AAAB', 'not-found'],
  ['2026-11-21T09:59Z', 'not-found'],
  ['2026-99-99', 'not-found'],
  ['yesterday', 'not-found'],
])('%j is %s', ([spec, code]) => {
  expect(outcomeOf(() => idOf(spec ?? ''))).toBe(code)
})

test('a vault without snapshots says so', () => {
  expect(outcomeOf(() => idOf('latest', []))).toBe('not-found')
})
