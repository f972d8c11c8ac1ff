import { join } from 'node:path'
import { readStateFile } from '@pipe-backup/vault'
import { writeState } from '../state/write-state.ts'

const TASKS = ['run', 'prune', 'verify'] as const
export type ScheduledTask = (typeof TASKS)[number]

/** When the tasks of the schedule were begun last: what was missed is reported from it. */
export class ScheduleLog {
  readonly #file: string
  readonly #begun: Map<ScheduledTask, Date>

  /** @param directory - the state directory; a log that is lost is begun again */
  static async open(directory: string): Promise<ScheduleLog> {
    const file = join(directory, 'schedule.json')
    const begun = new Map<ScheduledTask, Date>()
    const saved = await readStateFile(file)
    const times = typeof saved === 'object' && saved !== null ? Object.entries<unknown>({ ...saved }) : []
    for (const task of TASKS) {
      const time = new Date(String(new Map(times).get(task)))
      if (!Number.isNaN(time.getTime())) begun.set(task, time)
    }
    return new ScheduleLog(file, begun)
  }

  private constructor(file: string, begun: Map<ScheduledTask, Date>) {
    this.#file = file
    this.#begun = begun
  }

  begun(task: ScheduledTask): Date | undefined {
    return this.#begun.get(task)
  }

  /** @throws CommandError `no-state`; it is begun all the same */
  async begin(task: ScheduledTask, now: Date): Promise<void> {
    this.#begun.set(task, now)
    const times = Object.fromEntries([...this.#begun].map(([name, time]) => [name, time.toISOString()]))
    await writeState(this.#file, times)
  }
}
