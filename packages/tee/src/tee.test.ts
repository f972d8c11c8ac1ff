import { Readable, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { expect, test } from 'vitest'
import { tee } from './tee.ts'

class Collect extends Writable {
  readonly got: Buffer[] = []
  readonly #failAt: number
  constructor(failAt = Number.POSITIVE_INFINITY) {
    super()
    this.#failAt = failAt
  }
  get bytes(): Buffer {
    return Buffer.concat(this.got)
  }
  override _write(bytes: Buffer, _: string, done: (error?: Error | null) => void): void {
    this.got.push(Buffer.from(bytes))
    setImmediate(() => done(this.bytes.length > this.#failAt ? new Error('disk full') : null))
  }
}

const input = Buffer.alloc(3_000_000, 'abcdefg')
const source = () =>
  Readable.from(
    Array.from({ length: 100 }, (_, i) => input.subarray(i * 30_000, (i + 1) * 30_000)),
    { objectMode: false },
  )

test('each stream gets every byte', async () => {
  const outs = [new Collect(), new Collect(), new Collect()]
  await pipeline(source(), tee(outs))
  for (const out of outs) expect(out.bytes.equals(input)).toBe(true)
})

test('a stream that fails is dropped, and the others get every byte', async () => {
  const [good, bad] = [new Collect(), new Collect(100_000)]
  let states: string[] = []
  await pipeline(
    source(),
    tee([bad, good], {
      onResult: (results) => {
        states = results.map(({ state }) => state)
      },
    }),
  )
  expect(good.bytes.equals(input)).toBe(true)
  expect(bad.destroyed).toBe(true)
  expect(states).toEqual(['failed', 'ok'])
})

test('when too few finish the tee fails, and says which and why', async () => {
  await expect(
    pipeline(source(), tee([new Collect(), new Collect(100_000)], { minWriters: 2 })),
  ).rejects.toThrow('disk full')
})

test('a source that fails leaves every stream destroyed and unfinished', async () => {
  const outs = [new Collect(), new Collect()]
  const broken = Readable.from(
    (async function* () {
      yield input.subarray(0, 1000)
      throw new Error('source gone')
    })(),
    { objectMode: false },
  )
  await expect(pipeline(broken, tee(outs))).rejects.toThrow('source gone')
  for (const out of outs) expect([out.destroyed, out.writableFinished]).toEqual([true, false])
})

test('a stream that fails in its last moment counts as failed', async () => {
  const late = new Writable({
    write: (_b, _e, done) => done(),
    final: (done) => done(new Error('commit refused')),
  })
  await expect(pipeline(source(), tee([late]))).rejects.toThrow('commit refused')
})

test('nor has one finished whose end fails later, or that was cut off before', async () => {
  const late = (fails: boolean): Writable =>
    new Writable({
      write: (_b, _e, done) => done(),
      final: (done) => void setTimeout(() => done(fails ? new Error('commit refused') : null), 5),
    })
  const results: unknown[] = []
  const onResult = (all: readonly unknown[]): void => void results.push(...all)
  const both = tee([late(true), late(false)], { onResult })
  await pipeline(source(), both)
  expect(results).toMatchObject([{ error: { message: 'commit refused' } }, {}])
  await expect(pipeline(source(), tee([late(true)]))).rejects.toThrow('commit refused')

  const cut = late(false)
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('bytes')
    cut.destroy(new Error('the line was cut'))
    await new Promise((resolve) => cut.once('close', resolve))
  }
  await expect(pipeline(broken(), tee([cut]))).rejects.toThrow('the line was cut')
})
