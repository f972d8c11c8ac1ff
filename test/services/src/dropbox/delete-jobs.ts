import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Account, Refused } from './account.ts'
import { tagged } from './api-error.ts'
import { metadataOf } from './metadata.ts'

export interface DeleteEntry {
  readonly path: string
  readonly parent_rev: string | undefined
}

/** `delete_batch`: jobs that are done after a while. */
export class DeleteJobs {
  readonly #account: Account
  readonly #jobMs: number
  readonly #jobs = new Map<string, object>()

  constructor(account: Account, jobMs: number) {
    this.#account = account
    this.#jobMs = jobMs
  }

  launch(entries: readonly DeleteEntry[]): string {
    const id = `dbjid:${randomBytes(30).toString('base64url')}`
    this.#jobs.set(id, { '.tag': 'in_progress' })
    // Nobody waits for it: that is what `delete_batch/check` is for, and nothing in it is thrown.
    void this.#run(entries).then((outcome) => this.#jobs.set(id, outcome))
    return id
  }

  check(id: string): object | undefined {
    return this.#jobs.get(id)
  }

  async #run(entries: readonly DeleteEntry[]): Promise<object> {
    await sleep(this.#jobMs)
    try {
      const results = await this.#account.locked(() => entries.map((entry) => this.#delete(entry)))
      return { '.tag': 'complete', entries: results }
    } catch {
      const failure = tagged('too_many_write_operations')
      return { '.tag': 'complete', entries: entries.map(() => ({ '.tag': 'failure', failure })) }
    }
  }

  #delete({ path, parent_rev: rev }: DeleteEntry): object {
    try {
      const stored = this.#account.delete(path, rev)
      return { '.tag': 'success', metadata: { '.tag': stored.tag, ...metadataOf(stored) } }
    } catch (error) {
      if (error instanceof Refused) return { '.tag': 'failure', failure: error.error }
      throw error
    }
  }
}
