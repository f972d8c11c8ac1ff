import { secret } from '../config/values.ts'
import { type NotifyType, notifyType } from './notify-type.ts'

export const ping: NotifyType = notifyType(
  'ping',
  'A URL that is called when a run starts, succeeds or fails, as Healthchecks has them: it reports when nothing comes',
  { url: secret.describe('The URL of the check: https://hc-ping.com/…') },
  async ({ url }, read) => ({ type: 'ping', url: await read(url) }),
)
