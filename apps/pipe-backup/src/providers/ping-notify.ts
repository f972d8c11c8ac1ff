import { secret } from '../config/values.ts'
import { type NotifyType, notifyType } from './notify-type.ts'

export const ping: NotifyType = notifyType('ping', { url: secret }, async ({ url }, read) => ({
  type: 'ping',
  url: await read(url),
}))
