import { ConfigError } from '../config/config-error.ts'
import { secret, text } from '../config/values.ts'
import { type SinkType, sinkType } from './sink-type.ts'

export const dropbox: SinkType = sinkType(
  'dropbox',
  'A folder of a Dropbox',
  {
    appKey: text.optional().describe("The app's key, from https://www.dropbox.com/developers/apps"),
    refreshToken: secret.optional().describe('What `pipe-backup dropbox login` gives'),
    appSecret: secret
      .optional()
      .describe('Only for a refresh token that was made with it, by something other than `dropbox login`'),
    accessToken: secret.optional().describe('Good for some hours; beside a refresh token it is renewed'),
    path: text.optional().describe("Folder below the root of the app's folder. Default: that root"),
    apiUrl: text.optional().describe('For a proxy. Default: https://api.dropboxapi.com'),
    contentUrl: text.optional().describe('For a proxy. Default: https://content.dropboxapi.com'),
  },
  async ({ appKey, refreshToken, appSecret, accessToken, path, apiUrl, contentUrl }, context) => {
    const { dropboxSink } = await import('@pipe-backup/sink-dropbox')
    const options = {
      name: context.name,
      appKey,
      ...(refreshToken !== undefined && { refreshToken: await context.secret(refreshToken) }),
      ...(appSecret !== undefined && { appSecret: await context.secret(appSecret) }),
      ...(accessToken !== undefined && { accessToken: await context.secret(accessToken) }),
      path,
      apiUrl,
      contentUrl,
    }
    try {
      return dropboxSink(options)
    } catch (cause) {
      if (!(cause instanceof TypeError)) throw cause
      const message = `sink "${context.name}": ${cause.message}`
      throw new ConfigError({ code: 'bad-value', message }, { cause })
    }
  },
)
