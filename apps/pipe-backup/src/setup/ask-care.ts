import type { Policy } from '@pipe-backup/retention'
import { configSchema, findNotifyType } from '../config/schema.ts'
import * as notifyTypes from '../providers/notify-types.ts'
import { type Asking, askOption, askOptions, type Options } from './ask-options.ts'

/** When runs happen, what is kept of them, and who is notified, as it stands in the configuration. */
export interface Care {
  readonly schedule?: string | undefined
  readonly keep?: Policy | undefined
  readonly notify?: readonly Options[] | undefined
}

const OWN = 'own'
const NEVER = 'never'

/** Asks what the configuration has beside sources and sinks. */
export async function askCare(asking: Asking): Promise<Care> {
  return {
    schedule: await askSchedule(asking),
    keep: await askKeep(asking),
    notify: await askNotify(asking),
  }
}

async function askSchedule(asking: Asking): Promise<string | undefined> {
  const { asker } = asking
  const cron = await asker.choose('\nHow often?', [
    { value: '0 * * * *', label: 'every hour' },
    { value: '0 */6 * * *', label: 'every 6 hours' },
    { value: '0 3 * * *', label: 'every night at 3:00' },
    { value: OWN, label: 'at times that I give, as in a crontab' },
    { value: NEVER, label: 'only when I run it myself' },
  ])
  if (cron === NEVER) return undefined
  if (cron !== OWN) return cron
  const answer = await askOption(asking, configSchema, 'schedule')
  return typeof answer === 'string' ? answer : undefined
}

const STANDARD: Policy = { hourly: 24, daily: 7, weekly: 4, monthly: 12 }
const LONG: Policy = { ...STANDARD, daily: 30, yearly: 10 }
const SHORT: Policy = { daily: 7, weekly: 4 }

async function askKeep({ asker }: Asking): Promise<Policy | undefined> {
  return await asker.choose('\nHow long are snapshots to be kept?', [
    { value: STANDARD, label: '24 hourly, 7 daily, 4 weekly and 12 monthly ones: a year' },
    { value: LONG, label: '24 hourly, 30 daily, 4 weekly, 12 monthly and 10 yearly ones' },
    { value: SHORT, label: '7 daily and 4 weekly ones: a month' },
    { value: undefined, label: 'all of them, for good' },
  ])
}

async function askNotify(asking: Asking): Promise<readonly Options[] | undefined> {
  const { asker } = asking
  const types = Object.values(notifyTypes).map(({ type, schema }) => ({
    value: type,
    label: `${type}: ${schema.description ?? ''}`,
  }))
  const channels: Options[] = []
  for (;;) {
    const type = await asker.choose(
      channels.length === 0 ? '\nWho is notified when a backup fails?' : '\nWho else?',
      [
        ...types,
        {
          value: NEVER,
          label: channels.length === 0 ? 'nobody (a backup that fails unseen is none)' : 'nobody else',
        },
      ],
      channels.length === 0 ? undefined : NEVER,
    )
    if (type === NEVER) return channels.length === 0 ? undefined : channels
    const asked = { ...findNotifyType(type), asks: () => [] }
    channels.push({ type, ...(await askOptions(asking, asked, type)) })
  }
}
