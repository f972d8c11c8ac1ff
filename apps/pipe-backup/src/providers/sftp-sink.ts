import { z } from 'zod'
import { ifSet } from '../config/if-set.ts'
import { filePath, secret, text } from '../config/values.ts'
import { below, remotePath } from './sink-location.ts'
import { type SinkType, sinkType } from './sink-type.ts'
import { sshAgent } from './ssh-agent.ts'

export const sftp: SinkType = sinkType(
  'sftp',
  'A directory on an SSH server, by SFTP',
  {
    host: text,
    port: z.number().int().min(1).max(65_535).optional(),
    user: text,
    identity: filePath
      .optional()
      .describe('File of the private key. Without it and a password: the agent of SSH_AUTH_SOCK'),
    passphrase: secret.optional(),
    password: secret.optional(),
    hostKey: z
      .string()
      .regex(
        /^SHA256:[A-Za-z0-9+/]{43}=?$/,
        'must be a fingerprint, as `ssh-keyscan HOST | ssh-keygen -lf -` shows it: SHA256:…',
      )
      .optional()
      .describe("The server's key, SHA256:…; without it the key must be in ~/.ssh/known_hosts"),
    path: text.describe('The directory: absolute, or below the one where the login begins. `init` makes it'),
  },
  async ({ host, port, user, identity, passphrase, password, hostKey, path }, context) => {
    const { sftpSink } = await import('@pipe-backup/sink-sftp')
    return sftpSink({
      name: context.name,
      host,
      user,
      path,
      create: context.create,
      port,
      identity: ifSet(identity, context.path),
      passphrase: await ifSet(passphrase, context.secret),
      password: await ifSet(password, context.secret),
      hostKey,
    })
  },
  {
    location: ({ user, host = '', port = 22, path = '' }) =>
      below(`sftp ${user}@${host.toLowerCase()}:${port}`, remotePath(path)),
    server: ({ host }) => host,
    asks: ({ identity }) => [
      'host',
      'port',
      'user',
      'identity',
      identity === undefined ? 'password' : 'passphrase',
      'hostKey',
    ],
    environment: sshAgent,
  },
)
