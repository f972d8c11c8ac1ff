import { expect, test, vi } from 'vitest'
import { MemorySink } from '../test-support/memory-sink.ts'
import { HOST } from '../test-support/test-host.ts'
import { Replica } from './replica.ts'

test('what is waited for leaves no timer behind: a vault has a hundred thousand small objects', async () => {
  vi.useFakeTimers()
  try {
    const sink = new MemorySink('one', () => new Date())
    const replica = new Replica(sink, {
      vaultId: HOST.vaultId,
      keys: HOST.keys,
      stateDirectory: '/nothing',
      now: () => new Date(),
    })
    let during = 0
    const count = async (): Promise<void> => {
      during = vi.getTimerCount()
    }
    await replica.within('a thing', count)
    expect([during, vi.getTimerCount()]).toEqual([1, 0])
    const failing = replica.within('a thing', async () => {
      throw new Error('no')
    })
    await expect(failing).rejects.toThrow('no')
    expect(vi.getTimerCount()).toBe(0)
    const silent = replica.within(
      'a thing',
      (signal) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    )
    const outcome = expect(silent).rejects.toMatchObject({
      code: 'unanswered',
      message: expect.stringContaining('30 minutes a thing'),
    })
    await vi.advanceTimersByTimeAsync(30 * 60_000)
    await outcome
  } finally {
    vi.useRealTimers()
  }
})
