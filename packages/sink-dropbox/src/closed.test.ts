import { createServer } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { dropboxSink } from './dropbox-sink.ts'

test('a sink that is closed while a server says nothing leaves no connection, and makes none again', async () => {
  let open = 0
  const mute = createServer((socket) => {
    open++
    socket.on('error', () => undefined).once('close', () => open--)
    socket.resume()
  })
  await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void mute.close())
  const address = mute.address()
  const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`
  const sink = dropboxSink({ name: 'box', accessToken: 'token', apiUrl: url, contentUrl: url })
  const stream = sink.createWriteStream('object')
  const failed = new Promise((resolve) => stream.once('error', resolve))
  stream.write(Buffer.alloc(20 * 1024 * 1024))
  await expect.poll(() => open).toBe(1)
  await sink[Symbol.asyncDispose]()
  expect(await failed).toMatchObject({ name: 'SinkError', message: expect.stringContaining('was closed') })
  await expect.poll(() => open).toBe(0)
  await expect(sink.head('object')).rejects.toMatchObject({ name: 'SinkError', retryable: false })
})
