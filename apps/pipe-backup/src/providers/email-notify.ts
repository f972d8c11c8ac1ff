import { z } from 'zod'
import { secret, text } from '../config/values.ts'
import { type NotifyType, notifyType, on } from './notify-type.ts'

export const email: NotifyType = notifyType(
  'email',
  'An e-mail, by an SMTP server',
  {
    smtp: secret.describe(
      'URL of the server: smtps://USER:PASSWORD@mail.example.com, or smtp:// for STARTTLS',
    ),
    from: text.describe('Address of the sender'),
    to: z.array(text).min(1).describe('Addresses of who is notified'),
    on,
  },
  async ({ smtp, ...options }, read) => ({ type: 'email', smtp: await read(smtp), ...options }),
)
