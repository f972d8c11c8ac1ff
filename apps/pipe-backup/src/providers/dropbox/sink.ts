import { ifSet } from '../../config/if-set.ts'
import { secret, text } from '../../config/values.ts'
import { checked } from '../checked.ts'
import { below } from '../sink-location.ts'
import { type SinkType, sinkType } from '../sink-type.ts'
import { webProxy } from '../web-proxy.ts'

export const dropboxShape = {
  appKey: text.optional().describe("The app's key, from https://www.dropbox.com/developers/apps"),
  refreshToken: secret.optional().describe('What `pipe-backup dropbox login` gives'),
  appSecret: secret
    .optional()
    .describe('Only for a refresh token that was made with it, by something other than `dropbox login`'),
  accessToken: secret.optional().describe('Good for some hours; beside a refresh token it is renewed'),
  path: text.optional().describe("Folder below the root of the app's folder. Default: that root"),
  apiUrl: text.optional().describe('For a proxy. Default: https://api.dropboxapi.com'),
  contentUrl: text.optional().describe('For a proxy. Default: https://content.dropboxapi.com'),
}

export const dropbox: SinkType = sinkType(
  'dropbox',
  'A folder of a Dropbox',
  dropboxShape,
  async ({ appKey, refreshToken, appSecret, accessToken, path, apiUrl, contentUrl }, context) => {
    const { dropboxSink } = await import('@pipe-backup/sink-dropbox')
    const options = {
      name: context.name,
      appKey,
      refreshToken: await ifSet(refreshToken, context.secret),
      appSecret: await ifSet(appSecret, context.secret),
      accessToken: await ifSet(accessToken, context.secret),
      path,
      apiUrl,
      contentUrl,
    }
    return checked(context.name, () => dropboxSink(options))
  },
  {
    // Whose account it is, only the login knows: the same login is the same account.
    location: ({ refreshToken, accessToken, path = '' }) =>
      below(`dropbox ${JSON.stringify(refreshToken ?? accessToken ?? null)}`, path.toLowerCase()),
    asks: () => ['appKey', 'refreshToken', 'path'],
    environment: webProxy,
  },
)
