import { command as run } from '../config/values.ts'
import { type NotifyType, notifyType, on } from './notify-type.ts'

export const command: NotifyType = notifyType('command', { run, on }, async (options) => ({
  type: 'command',
  ...options,
}))
