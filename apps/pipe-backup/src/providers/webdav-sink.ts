import { z } from 'zod'
import { ifSet } from '../config/if-set.ts'
import { secret, text } from '../config/values.ts'
import { checked } from './checked.ts'
import { davOptions, davShape } from './dav-options.ts'
import { addressOf, below, type SinkLocation } from './sink-location.ts'
import { type SinkType, sinkType } from './sink-type.ts'
import { webProxy } from './web-proxy.ts'

export const webdav: SinkType = sinkType(
  'webdav',
  "A collection on any WebDAV server. The URL of a user's files on a Nextcloud means a nextcloud sink",
  {
    url: text.describe('Of the collection: https://host/path. `init` makes it'),
    user: text.optional(),
    password: secret.optional(),
    token: secret.optional().describe('A bearer token, instead of user and password'),
    readBack: z
      .boolean()
      .optional()
      .describe(
        'Read what was sent again, to compare it. Default true: WebDAV has no checksum. False: its size alone is asked',
      ),
    ...davShape,
  },
  async ({ url, user, password, token, readBack, ...dav }, context) => {
    const { name, create } = context
    const common = { name, create, ...(await davOptions(dav, context)) }
    if (url.includes('/remote.php/') && user !== undefined && password !== undefined) {
      const { nextcloudPlace, nextcloudSink } = await import('@pipe-backup/sink-nextcloud')
      const place = nextcloudPlace(url)
      const login = { user, password: await context.secret(password) }
      if (place) return checked(name, () => nextcloudSink({ ...common, ...place, ...login }))
    }
    const { webdavSink } = await import('@pipe-backup/sink-webdav')
    const options = {
      ...common,
      url,
      user,
      password: await ifSet(password, context.secret),
      token: await ifSet(token, context.secret),
      readBack,
    }
    return checked(name, () => webdavSink(options))
  },
  {
    location: ({ url = '', user = '' }) => davLocation(url, user),
    server: ({ url }) => url,
    asks: ({ user }) => ['url', 'user', user === undefined ? 'token' : 'password'],
    environment: webProxy,
  },
)

async function davLocation(url: string, user: string): Promise<SinkLocation | undefined> {
  if (!URL.canParse(url)) return undefined
  if (url.includes('/remote.php/')) {
    const { nextcloudPlace } = await import('@pipe-backup/sink-nextcloud')
    const found = nextcloudPlace(url)
    if (found) return below(`nextcloud ${user}@${addressOf(found.server)}`, found.path)
  }
  const { origin, pathname } = new URL(url)
  return below(`webdav ${user}@${origin}`, pathname)
}
