import { command as run } from '../config/values.ts'
import { type NotifyType, notifyType, on } from './notify-type.ts'

export const command: NotifyType = notifyType(
  'command',
  'A program that gets the message',
  { run, on },
  async (options) => ({
    type: 'command',
    ...options,
  }),
)
