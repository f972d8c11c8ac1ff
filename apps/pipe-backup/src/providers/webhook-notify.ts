import { z } from 'zod'
import { secret } from '../config/values.ts'
import { type NotifyType, notifyType, on } from './notify-type.ts'

export const webhook: NotifyType = notifyType(
  'webhook',
  {
    url: secret,
    format: z
      .enum(['generic', 'slack', 'discord', 'telegram', 'ntfy'])
      .optional()
      .describe('How the message is written. Default: by the host of the url'),
    on,
  },
  async ({ url, ...options }, read) => ({ type: 'webhook', url: await read(url), ...options }),
)
