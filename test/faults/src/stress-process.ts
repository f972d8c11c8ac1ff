import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import type { Episode } from './stress.ts'

/** What a process of its own is asked for. */
export interface EpisodeRequest {
  readonly seed: number
  readonly steps: number
}

/** Lives the lives of vaults in a process of its own, one after the other: an episode keeps one core busy. */
export class StressProcess implements Disposable {
  readonly #process: ChildProcess

  constructor() {
    this.#process = fork(new URL('./stress-child.ts', import.meta.url), {
      execArgv: ['--conditions=pipe-backup-src', '--disable-warning=ExperimentalWarning'],
      // Its tallies have maps.
      serialization: 'advanced',
    })
  }

  /** As `runEpisode`. @throws Error when the process ends */
  async episode(request: EpisodeRequest): Promise<Episode> {
    const over = new AbortController()
    const ended = once(this.#process, 'exit', { signal: over.signal }).then(([code, signal]) => {
      throw new Error(`the stress with seed ${request.seed} ended: ${String(signal ?? code)}`)
    })
    const answer = once(this.#process, 'message', { signal: over.signal })
    this.#process.send(request)
    try {
      const [episode] = (await Promise.race([answer, ended])) as [Episode]
      return episode
    } finally {
      over.abort()
      for (const promise of [answer, ended]) promise.catch(() => undefined)
    }
  }

  [Symbol.dispose](): void {
    this.#process.disconnect()
  }
}
