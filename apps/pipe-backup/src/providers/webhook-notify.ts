import { z } from 'zod'
import { secret } from '../config/values.ts'
import { type NotifyType, notifyType, on } from './notify-type.ts'

export const webhook: NotifyType = notifyType(
  'webhook',
  'A message to a URL: Slack, Discord, Telegram, ntfy, or any that takes JSON',
  {
    url: secret.describe('The URL that takes the messages'),
    format: z
      .enum(['generic', 'slack', 'discord', 'telegram', 'ntfy'])
      .optional()
      .describe('How the message is written. Default: by the host of the url'),
    on,
  },
  async ({ url, ...options }, read) => ({ type: 'webhook', url: await read(url), ...options }),
)
