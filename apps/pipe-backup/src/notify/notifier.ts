import { type Channel, decide, deliver, type Observation, openChannel } from '@pipe-backup/notify'
import { toError } from '@pipe-backup/sink'
import type { CliContext } from '../cli-context.ts'
import { ifSet } from '../config/if-set.ts'
import type { LoadedConfig } from '../config/load-config.ts'
import { findNotifyType } from '../config/schema.ts'
import { redact } from '../secrets/redact.ts'
import { errorLine } from '../terminal/error-line.ts'
import { openSecrets } from '../vault/open-config.ts'
import { readNotifyLog, writeNotifyLog } from './notify-log.ts'
import { ofFailure, ofStaleness } from './observations.ts'
import { stillConfigured, watchedSince } from './watch.ts'

/** However a command ends, telling of it takes no longer. */
const FAREWELL_MS = 60_000

/** Who is notified, and of what they have been notified already. Nothing that goes wrong here fails a command. */
export class Notifier {
  readonly #config: LoadedConfig
  readonly #cli: CliContext
  #channels: Promise<Channel[]> | undefined

  constructor(config: LoadedConfig, cli: CliContext) {
    this.#config = config
    this.#cli = cli
  }

  /** For who watches that runs come at all. */
  async ping(event: 'start' | 'success' | 'fail', text = ''): Promise<void> {
    const signal = AbortSignal.timeout(FAREWELL_MS)
    const channels = await this.#open()
    await Promise.all(
      channels.map(async (channel) => {
        try {
          await channel.ping?.(event, redact(text), signal)
        } catch (error) {
          this.#complain(channel.name, error)
        }
      }),
    )
  }

  /** Reports what has become bad, what stays bad, and what is well again; and what is older than it should be. */
  async notify(observations: readonly Observation[]): Promise<void> {
    const { state } = this.#config
    const now = new Date()
    try {
      const log = await readNotifyLog(state)
      const lastGood = pastTimes(log.lastGood, now)
      // Of a source only a complete reading is a good one.
      for (const { subject, state: found } of observations)
        if (
          subject.startsWith('source ') ? found === 'ok' : found !== 'failure' && subject.startsWith('sink ')
        )
          lastGood[subject] = now.toISOString()
      const since = pastTimes(watchedSince(this.#config, log, now), now)
      const known = stillConfigured(log.reminders, this.#config)
      const stale = await ofStaleness(this.#config, { lastGood, watchedSince: since }, now)
      const { reminders, notices } = decide(known, [...observations, ...stale.filter(isNews(known))], now)
      const channels = await this.#open()
      const safe = notices.map((notice) => ({
        ...notice,
        message: redact(notice.message),
        hint: ifSet(notice.hint, redact),
      }))
      const delivery = await deliver(channels, safe, log.pending, AbortSignal.timeout(FAREWELL_MS))
      for (const { channel, error } of delivery.failures) this.#complain(channel, error)
      await writeNotifyLog(state, { reminders, pending: delivery.pending, lastGood, watchedSince: since })
    } catch (error) {
      this.#complain('notify', error)
    }
  }

  /**
   * Pings how a run has ended, and notifies of what it has found.
   * @param subject - of the observation that says whether the run as a whole has failed
   */
  async ended(subject: string, observations: readonly Observation[]): Promise<void> {
    const failed = observations.find((one) => one.subject === subject && one.state === 'failure')
    await this.ping(failed ? 'fail' : 'success', failed?.message)
    await this.notify(observations)
  }

  /**
   * Does some work, and notifies when it fails as a whole, without a report.
   * @param subject - of the observation that its report would have
   */
  async watch<T>(subject: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      // A person has stopped it; or another host does the same now, which is as good.
      const isBusy = error instanceof Error && 'code' in error && error.code === 'busy'
      if (!this.#cli.signal.aborted && !isBusy) await this.notify([ofFailure(subject, error)])
      throw error
    }
  }

  /** Sends a message to each channel that says that nothing is wrong. @returns what became of it, by the channel's name */
  async test(): Promise<
    readonly {
      readonly channel: string
      readonly error?: Error | undefined
      readonly isPrivate?: boolean | undefined
    }[]
  > {
    const signal = AbortSignal.timeout(FAREWELL_MS)
    const opened = await this.#openAll()
    return await Promise.all(
      opened.map(async (channel) => {
        if ('error' in channel) return channel
        try {
          await channel.test(signal)
          return { channel: channel.name, isPrivate: channel.isPrivate }
        } catch (error) {
          return { channel: channel.name, error: toError(error) }
        }
      }),
    )
  }

  async #open(): Promise<Channel[]> {
    this.#channels ??= this.#openAll().then((opened) =>
      opened.flatMap((channel) => {
        if (!('error' in channel)) return [channel]
        this.#complain(channel.channel, channel.error)
        return []
      }),
    )
    return await this.#channels
  }

  async #openAll(): Promise<(Channel | { readonly channel: string; readonly error: Error })[]> {
    const { notify = [], vault, host } = this.#config
    const secrets = openSecrets(this.#config, this.#cli)
    return await Promise.all(
      notify.map(async (config) => {
        try {
          return openChannel(
            await findNotifyType(config.type).toChannel(config, (value) => secrets.read(value)),
            `${vault} on ${host}`,
          )
        } catch (error) {
          return { channel: `notify ${config.type}`, error: toError(error) }
        }
      }),
    )
  }

  #complain(channel: string, reason: unknown): void {
    this.#cli.output.warn(`${channel}: ${errorLine(toError(reason))}`)
  }
}

/** Times of a clock that was ahead are taken for now: until it has caught up, nothing would ever be old. */
function pastTimes(times: Readonly<Record<string, string>>, now: Date): Record<string, string> {
  const past = (time: string): string => (Date.parse(time) <= now.getTime() ? time : now.toISOString())
  return Object.fromEntries(Object.entries(times).map(([subject, time]) => [subject, past(time)]))
}

/** That something is fresh is reported only to end a reminder: nobody wants to hear it each time. */
function isNews(reminders: object): (observation: Observation) => boolean {
  return ({ subject, state }) => state !== 'ok' || subject in reminders
}
