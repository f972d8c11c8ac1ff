import { z } from 'zod'
import { ifSet } from '../config/if-set.ts'
import { duration, secret, size, text, toBytes, toMilliseconds } from '../config/values.ts'
import { checked } from './checked.ts'
import { davOptions, davShape } from './dav-options.ts'
import { addressOf, below } from './sink-location.ts'
import { type SinkType, sinkType } from './sink-type.ts'
import { webProxy } from './web-proxy.ts'

export const nextcloud: SinkType = sinkType(
  'nextcloud',
  'A folder of a Nextcloud or ownCloud',
  {
    server: text.describe('cloud.example.com, or https://host/path where it is below a path'),
    user: text.describe('As at the login'),
    password: secret.describe(
      'An app password (Settings, Security) is best; with a second factor it must be one',
    ),
    path: text
      .optional()
      .describe("The folder, below the user's files. `init` makes it. Default: pipe-backup"),
    chunkSize: size
      .optional()
      .describe('Larger objects are sent in chunks of this size, from 5 MiB. Default 32 MiB'),
    settle: duration
      .optional()
      .describe(
        'How long the server may take to put chunks together after a proxy has given up. Default 10m',
      ),
    skipTrash: z
      .boolean()
      .optional()
      .describe("What is deleted does not go into the server's trash, where it may count against the quota"),
    ...davShape,
  },
  async ({ server, user, password, path, chunkSize, settle, skipTrash, ...dav }, context) => {
    const { nextcloudSink } = await import('@pipe-backup/sink-nextcloud')
    const options = {
      name: context.name,
      server,
      user,
      password: await context.secret(password),
      path: path ?? 'pipe-backup',
      create: context.create,
      chunkBytes: ifSet(chunkSize, toBytes),
      settleMs: ifSet(settle, toMilliseconds),
      skipTrash,
      ...(await davOptions(dav, context)),
    }
    return checked(context.name, () => nextcloudSink(options))
  },
  {
    location: ({ user, server = '', path }) =>
      below(`nextcloud ${user}@${addressOf(server)}`, path || 'pipe-backup'),
    server: ({ server }) => server,
    asks: () => ['server', 'user', 'password', 'path'],
    environment: webProxy,
  },
)
