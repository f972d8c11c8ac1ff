import { expect, test } from 'vitest'
import { Turns } from './turns.ts'

/** A line, or lines, and writers that send items of 16 MB over them; time is counted, not waited for. */
class Simulation {
  readonly lanes
  readonly finished: { readonly lane: number; readonly atMs: number }[] = []
  readonly #turns: Turns
  readonly #shares: (active: readonly number[]) => readonly number[]
  nowMs = 0

  /** @param shares - bytes a second that each of the writing lanes gets */
  constructor(
    items: readonly number[],
    shares: (active: readonly number[]) => readonly number[],
    concurrency = 2,
  ) {
    this.#shares = shares
    this.lanes = items.map((left) => ({
      left,
      written: 0,
      inFlight: [] as number[],
      rate: undefined as number | undefined,
      get writing() {
        return this.inFlight.length
      },
      get isReady() {
        return this.left > 0 && this.inFlight.length < concurrency
      },
      bytesPerSecond() {
        return this.rate
      },
    }))
    this.#turns = new Turns(this.lanes, 0)
  }

  run(stepMs = 100): this {
    while (this.lanes.some(({ left, writing }) => left > 0 || writing > 0)) {
      for (const lane of this.lanes) {
        while (lane.isReady && this.#turns.admits(lane, this.nowMs)) {
          lane.left--
          lane.inFlight.push(16_000_000)
        }
      }
      this.#turns.tick(this.nowMs)
      const active = this.lanes.flatMap((lane, i) => (lane.writing > 0 ? [i] : []))
      for (const [at, share] of this.#shares(active).entries()) {
        const i = active[at] ?? 0
        const lane = this.lanes[i]
        if (!lane) continue
        const moved = (share * stepMs) / 1000
        this.#turns.add(lane, moved, this.nowMs)
        lane.rate = share
        lane.inFlight = lane.inFlight
          .map((bytes) => bytes - moved / lane.inFlight.length)
          .filter((bytes) => {
            if (bytes > 1) return true
            lane.written++
            this.finished.push({ lane: i, atMs: this.nowMs })
            return false
          })
      }
      this.nowMs += stepMs
    }
    return this
  }

  lastOf(lane: number): number {
    return this.finished.findLast((item) => item.lane === lane)?.atMs ?? Number.NaN
  }
}

const MB = 1_000_000

test('writers that share a slow line get through one after the other, and the line is never idle', () => {
  const together = (active: readonly number[]) => active.map(() => (2.5 * MB) / active.length)
  const run = new Simulation([20, 20, 20], together).run()
  const least = (60 * 16 * MB) / (2.5 * MB)
  expect(run.nowMs / 1000).toBeLessThan(least * 1.05)
  // The first has all its items when little more than a third has gone, the second at two thirds.
  expect(run.lastOf(0) / 1000).toBeLessThan(least * 0.45)
  expect(run.lastOf(1) / 1000).toBeLessThan(least * 0.75)
})

test('writers with slow lines of their own write side by side', () => {
  const apart = (active: readonly number[]) => active.map((i) => [1, 2, 1.5][i] ?? 0).map((rate) => rate * MB)
  const run = new Simulation([20, 20, 20], apart).run()
  expect(run.nowMs / 1000).toBeLessThan(((20 * 16) / 1) * 1.15)
})

test('one that is held back by its own server leaves the line to the others', () => {
  const shared = (active: readonly number[]) => {
    const throttled = active.includes(0) ? 0.1 * MB : 0
    const others = active.filter((i) => i !== 0).length
    return active.map((i) => (i === 0 ? throttled : (2.5 * MB - throttled) / others))
  }
  const run = new Simulation([2, 20, 20], shared).run()
  expect(Math.max(run.lastOf(1), run.lastOf(2)) / 1000).toBeLessThan(((40 * 16) / 2.4) * 1.15)
})

test('fast writers are never made to wait', () => {
  const fast = (active: readonly number[]) => active.map(() => 100 * MB)
  const run = new Simulation([50, 50, 50], fast).run(10)
  expect(run.nowMs / 1000).toBeLessThan(50 * 0.16 * 1.1)
})

test('a line that becomes faster is noticed', () => {
  let nowMs = 0
  const faster = (active: readonly number[]) => {
    nowMs += 100
    const line = nowMs < 60_000 ? 1 * MB : 8 * MB
    // One stream alone carries no more than 3 MB/s.
    return active.map(() => Math.min(3 * MB, line / active.length))
  }
  const run = new Simulation([30, 30, 30], faster).run()
  const least = 60 + (90 * 16 - 60) / 8
  expect(run.nowMs / 1000).toBeLessThan(least * 1.4)
})
