import {
  type Channel,
  type ChannelOptions,
  decide,
  deliver,
  type Observation,
  openChannel,
} from '@pipe-backup/notify'
import type { LoadedConfig } from '../config/load-config.ts'
import type { NotifyConfig } from '../config/schema.ts'
import { redact } from '../secrets/redact.ts'
import type { Session } from '../session.ts'
import { errorLine } from '../terminal/error-line.ts'
import { openSecrets } from '../vault/open-config.ts'
import { readNotifyLog, writeNotifyLog } from './notify-log.ts'
import { ofStaleness } from './observations.ts'

/** However a command ends, telling of it takes no longer. */
const FAREWELL_MS = 60_000

/** Who is told, and what they have been told already. Nothing that goes wrong here fails a command. */
export class Notifier {
  readonly #config: LoadedConfig
  readonly #session: Session
  #channels: Promise<Channel[]> | undefined

  constructor(config: LoadedConfig, session: Session) {
    this.#config = config
    this.#session = session
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

  /** Tells what has become bad, what stays bad, and what is well again; and what is older than it should be. */
  async tell(observations: readonly Observation[]): Promise<void> {
    const { state } = this.#config
    const now = new Date()
    try {
      const log = await readNotifyLog(state)
      const lastGood = { ...log.lastGood }
      for (const { subject, state: found } of observations)
        if (found !== 'failure' && /^(source|sink) /.test(subject)) lastGood[subject] = now.toISOString()
      const stale = await ofStaleness(this.#config, lastGood, now)
      const { reminders, notices } = decide(
        log.reminders,
        [...observations, ...stale.filter(isNews(log.reminders))],
        now,
      )
      const channels = await this.#open()
      const safe = notices.map((notice) => ({ ...notice, message: redact(notice.message) }))
      const delivery = await deliver(channels, safe, log.pending, AbortSignal.timeout(FAREWELL_MS))
      for (const { channel, error } of delivery.failures) this.#complain(channel, error)
      await writeNotifyLog(state, { reminders, pending: delivery.pending, lastGood })
    } catch (error) {
      this.#complain('notify', error)
    }
  }

  async #open(): Promise<Channel[]> {
    this.#channels ??= this.#openAll()
    return await this.#channels
  }

  async #openAll(): Promise<Channel[]> {
    const { notify = [], vault, host } = this.#config
    const secrets = openSecrets(this.#config, this.#session)
    const opened = await Promise.all(
      notify.map(async (config) => {
        try {
          return [openChannel(await toOptions(config, (value) => secrets.read(value)), `${vault} on ${host}`)]
        } catch (error) {
          this.#complain(`notify ${config.type}`, error)
          return []
        }
      }),
    )
    return opened.flat()
  }

  #complain(channel: string, reason: unknown): void {
    const error = reason instanceof Error ? reason : new Error(String(reason))
    this.#session.output.warn(`${channel}: ${errorLine(error)}`)
  }
}

/** That something is fresh is told only to end a reminder: nobody wants to hear it each time. */
function isNews(reminders: object): (observation: Observation) => boolean {
  return ({ subject, state }) => state !== 'ok' || subject in reminders
}

async function toOptions(
  config: NotifyConfig,
  read: (value: Extract<NotifyConfig, { type: 'webhook' }>['url']) => Promise<string>,
): Promise<ChannelOptions> {
  switch (config.type) {
    case 'webhook': {
      const { type, url, format, on } = config
      return { type, url: await read(url), ...(format && { format }), ...(on && { on }) }
    }
    case 'email': {
      const { type, smtp, from, to, on } = config
      return { type, smtp: await read(smtp), from, to, ...(on && { on }) }
    }
    case 'command': {
      const { type, run, on } = config
      return { type, run, ...(on && { on }) }
    }
    case 'ping':
      return { type: 'ping', url: await read(config.url) }
  }
}
