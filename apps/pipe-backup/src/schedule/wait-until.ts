import { setTimeout as sleep } from 'node:timers/promises'

/** However long it takes, the clock is looked at so often: it may be set, or the machine sleep. */
const LOOK_MS = 30_000

/**
 * Waits for a moment by the clock of this machine, however that is set meanwhile.
 * @returns `set back` when the clock was, for then the moment may not be the next any more
 */
export async function waitUntil(time: Date, signal: AbortSignal): Promise<'due' | 'stopped' | 'set back'> {
  let seenMs = Date.now()
  for (;;) {
    const nowMs = Date.now()
    if (nowMs < seenMs) return 'set back'
    seenMs = nowMs
    const leftMs = time.getTime() - nowMs
    if (leftMs <= 0) return signal.aborted ? 'stopped' : 'due'
    try {
      await sleep(Math.min(leftMs, LOOK_MS), undefined, { signal })
    } catch {
      return 'stopped'
    }
  }
}
