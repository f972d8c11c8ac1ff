import { expect, test } from 'vitest'
import * as notifyTypes from '../providers/notify-types.ts'
import * as sinkTypes from '../providers/sink-types.ts'
import { askOptions } from './ask-options.ts'
import { type Asker, createAsker } from './asker.ts'
import { SecretDrawer } from './secret-drawer.ts'

function answering(answers: Readonly<Record<string, string>>): { asker: Asker; asked: string[] } {
  const asked: string[] = []
  const read = async (prompt: string): Promise<string> => {
    const key = prompt.trim().split(/[ :]/, 1)[0] ?? ''
    asked.push(key)
    return answers[key] ?? ''
  }
  return { asker: createAsker({ print: () => undefined, columns: () => 80, read }), asked }
}

const drawer = (): SecretDrawer => new SecretDrawer('/home/nobody-s/pipe-backup.yaml')

test('of a type without hints all that its schema requires is asked for, and nothing else', async () => {
  const { asker, asked } = answering({ path: 'disk' })
  const options = await askOptions({ asker, drawer: drawer(), cwd: '/home/me' }, sinkTypes.local, 'disk')
  expect([asked, options]).toEqual([['path'], { path: '/home/me/disk' }])
})

test('what is asked for depends on what was answered', async () => {
  const keys = { host: 'h', user: 'u', path: 'p', Number: '4' }
  const withKey = answering({ ...keys, identity: '~/.ssh/id' })
  const asking = { asker: withKey.asker, drawer: drawer(), cwd: '/home/me' }
  expect(await askOptions(asking, sinkTypes.sftp, 'ssh')).toEqual({
    host: 'h',
    user: 'u',
    identity: '~/.ssh/id',
    path: 'p',
  })
  const withPassword = answering({ ...keys, Number: '1', password: 'secret-password', port: '2222' })
  const box = drawer()
  const options = await askOptions(
    { asker: withPassword.asker, drawer: box, cwd: '/' },
    sinkTypes.sftp,
    'ssh',
  )
  expect(options).toMatchObject({ port: 2222, password: { file: 'secrets/ssh-password' } })
  expect([...box.filesOf(options)]).toEqual([['/home/nobody-s/secrets/ssh-password', 'secret-password']])
  expect([...box.filesOf({})]).toEqual([])
})

test.for(Object.values(sinkTypes))('what is asked for a sink of type $type is in its schema', (type) => {
  for (const given of [{}, { user: 'u', identity: 'i', target: 'rsync://h/m' }])
    expect(Object.keys(type.schema.shape)).toEqual(expect.arrayContaining([...type.asks(given)]))
})

test('a secret is known as one, whether it has a description or not', () => {
  expect(sinkTypes.nextcloud.secrets).toEqual(['password'])
  expect(sinkTypes.s3.secrets).toEqual(['secretAccessKey', 'sessionToken'])
  expect(notifyTypes.email.secrets).toEqual(['smtp'])
})
