import { z } from 'zod'
import { secret, text } from '../config/values.ts'
import { type NotifyType, notifyType, on } from './notify-type.ts'

export const email: NotifyType = notifyType(
  'email',
  { smtp: secret, from: text, to: z.array(text).min(1), on },
  async ({ smtp, ...options }, read) => ({ type: 'email', smtp: await read(smtp), ...options }),
)
