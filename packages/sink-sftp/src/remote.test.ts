import type { SFTPWrapper } from 'ssh2'
import { expect, test } from 'vitest'
import { Remote } from './remote.ts'

test('what ssh2 throws is the failure of that request, and nobody is left listening for an answer', async () => {
  const lost = new AbortController()
  const sftp = {
    stat() {
      throw new Error('a mistake')
    },
  } as unknown as SFTPWrapper
  const remote = new Remote({ sftp, lost: lost.signal, learnt: new Map() })
  await expect(remote.stat('/object')).rejects.toThrow('a mistake')
  // A promise that somebody had left would be rejected now, which fails this run.
  lost.abort(new Error('the connection is lost'))
  await new Promise((resolve) => setImmediate(resolve))
})
