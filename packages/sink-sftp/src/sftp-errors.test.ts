import { expect, test } from 'vitest'
import { toSinkError } from './sftp-errors.ts'

test.for([
  ['two lines', 'no\r\nSFTP', { level: 'sftp-protocol' }, /no SFTP \(no SFTP\)$/],
  ['without an end', 'x'.repeat(10_000), { level: 'sftp-protocol' }, /no SFTP \(x{200}\)$/],
  [
    'a length that is none',
    'Packet length 99999999999 exceeds',
    { level: 'sftp-protocol' },
    /\(Packet length/,
  ],
  ['two lines of a connection', 'it\nends', {}, /the connection failed \(it ends\)$/],
] as const)('what the server says, %s, is one line of ours', ([, message, more, expected]) => {
  const error = toSinkError(Object.assign(new Error(message), more), 's')
  expect(error).toMatchObject({ name: 'SinkError', message: expect.stringMatching(expected) })
})
