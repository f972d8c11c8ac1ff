import { userInfo } from 'node:os'
import { z } from 'zod'
import { ifSet } from '../config/if-set.ts'
import { filePath, secret, size, text, toBytes } from '../config/values.ts'
import { checked } from './checked.ts'
import { below, remotePath, type SinkLocation } from './sink-location.ts'
import { type SinkType, sinkType } from './sink-type.ts'
import { sshAgent } from './ssh-agent.ts'

/** The form alone, so that a mistake is reported with its place: the package itself parses it. */
const TARGET =
  /^(?!-)(?:rsync:\/\/(?:[^@/:]*@)?(?:\[[^\]]+\]|[^@/:]+)(?::\d+)?\/[^/]|(?!rsync:\/)(?:[^@/]*@)?(?:\[[^\]]+\]|[^:/]+):(?!\/\/))/

export const rsync: SinkType = sinkType(
  'rsync',
  'A directory behind rsync, over ssh (rrsync too) or of a daemon',
  {
    target: text
      .regex(
        TARGET,
        'must be user@host:path by ssh, or rsync://user@host/module/path of a daemon; a password goes into `password`',
      )
      .describe('user@host:path, or rsync://user@host/module/path for a daemon. `init` makes the directory'),
    port: z.number().int().min(1).max(65_535).optional(),
    identity: filePath
      .optional()
      .describe('File of the private key, without a passphrase. Default: as `ssh` finds one, or its agent'),
    hostKey: z
      .string()
      .regex(
        /^SHA256:[A-Za-z0-9+/]{43}=?$/,
        'must be a fingerprint, as `ssh-keyscan HOST | ssh-keygen -lf -` shows it: SHA256:…',
      )
      .optional()
      .describe("The server's key, SHA256:…; without it the key must be in ~/.ssh/known_hosts"),
    password: secret.optional().describe("Of a daemon's user"),
    appendOnly: z
      .boolean()
      .optional()
      .describe('The server refuses to delete: rrsync -no-del -no-overwrite. Default: false'),
    spool: filePath
      .optional()
      .describe('Directory on a tmpfs, for the files that rsync sends. Default: /dev/shm; never a disk'),
    spoolBytes: size
      .optional()
      .describe('How much of objects may be in it, for each direction: the largest object. Default: 256 MiB'),
    rsyncPath: text.optional().describe('What rsync is called on the server. Default: rsync'),
  },
  async (options, context) => {
    const { target, port, identity, hostKey, password, appendOnly, spool, spoolBytes, rsyncPath } = options
    const { rsyncSink } = await import('@pipe-backup/sink-rsync')
    const given = {
      name: context.name,
      target,
      create: context.create,
      port,
      identity: ifSet(identity, context.path),
      hostKey,
      password: await ifSet(password, context.secret),
      appendOnly,
      spool: ifSet(spool, context.path),
      spoolBytes: ifSet(spoolBytes, toBytes),
      rsyncPath,
    }
    return checked(context.name, () => rsyncSink(given))
  },
  {
    location: ({ target = '', port = 22, identity = '' }) => rsyncLocation(target, port, identity),
    server: ({ target }) => target,
    unguarded: ({ appendOnly }) => (appendOnly ? {} : undefined),
    asks: ({ target = '' }) => [
      'target',
      ...(target.startsWith('rsync:') ? (['password'] as const) : (['port', 'identity', 'hostKey'] as const)),
    ],
    environment: sshAgent,
  },
)

function rsyncLocation(target: string, port: number, identity: string): SinkLocation | undefined {
  const [, daemonUser, daemonHost, daemonPort = '873', path] =
    /^rsync:\/\/(?:([^@/]*)@)?([^/]+?)(?::(\d+))?\/(.*)$/.exec(target) ?? []
  if (daemonHost !== undefined && path !== undefined)
    return below(`rsyncd ${daemonUser ?? ''}@${daemonHost.toLowerCase()}:${daemonPort}`, path)
  const [, user, host, sshPath] = /^(?:([^@/]+)@)?(\[[^\]]+\]|[^:/]+):(.*)$/.exec(target) ?? []
  if (host === undefined || sshPath === undefined) return undefined
  // One user's keys may each be restricted to a directory, by rrsync: paths are below it then.
  const login = `${user ?? userInfo().username}@${host.toLowerCase()}:${port} ${identity}`
  return sshPath.startsWith(':')
    ? below(`rsyncd by ssh ${login}`, sshPath.slice(1))
    : below(`rsync ${login}`, remotePath(sshPath))
}
