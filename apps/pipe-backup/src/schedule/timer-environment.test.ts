import { expect, test } from 'vitest'
import { timerEnvironment, variablesNotInTimer } from './timer-environment.ts'

const env = {
  PATH: '/opt/bin',
  HOME: '/elsewhere',
  XDG_STATE_HOME: '/srv/state',
  XDG_CONFIG_HOME: '',
  AWS_PROFILE: 'backup',
  AWS_SECRET_ACCESS_KEY: 'secret',
  HTTPS_PROXY: 'http://user:secret@proxy:3128',
  SSH_AUTH_SOCK: '/tmp/agent',
}

test('a timer has the places that are known here, and no secret', () => {
  expect(timerEnvironment({ env, home: '/home/bot' })).toEqual([
    'PATH=/opt/bin',
    'HOME=/home/bot',
    'XDG_STATE_HOME=/srv/state',
    'AWS_PROFILE=backup',
  ])
})

test.for<[string, readonly object[], readonly string[]]>([
  ['no sink elsewhere', [{ type: 'local' }], []],
  ['a key in a file', [{ type: 'sftp', identity: '/key' }], []],
  ['an agent', [{ type: 'rsync' }], ['SSH_AUTH_SOCK']],
  ['keys and a proxy', [{ type: 's3' }], ['AWS_SECRET_ACCESS_KEY', 'HTTPS_PROXY']],
  ['a named variable', [{ type: 'webdav', password: { env: 'DAV' } }], ['DAV', 'HTTPS_PROXY']],
])('what a timer lacks, with %s', ([, sinks, missing]) => {
  const config = { sources: [], sinks, notify: [] } as unknown as Parameters<typeof variablesNotInTimer>[0]
  expect(variablesNotInTimer(config, { env })).toEqual(missing)
})
