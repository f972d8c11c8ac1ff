import { createServer } from 'node:http'
import { expect, onTestFinished, test } from 'vitest'
import { nextcloudSink } from './nextcloud-sink.ts'

const ANSWERS: Readonly<Record<string, object>> = {
  '/status.php': { installed: true, maintenance: false },
  '/ocs/v2.php/cloud/user?format=json': { ocs: { data: { id: 'bot' } } },
}

test.for([
  [429, 'throttled'],
  [502, 'unreachable'],
  [503, 'throttled'],
] as const)(
  'a server that answers %s when it is asked what it can do is asked again',
  async ([status, code]) => {
    let asked = 0
    const server = createServer((request, response) => {
      const known = ANSWERS[request.url ?? '']
      if (!known) asked++
      response.writeHead(known ? 200 : status).end(JSON.stringify(known ?? {}))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void server.close())
    const address = server.address()
    const port = typeof address === 'object' ? address?.port : undefined
    await using sink = nextcloudSink({
      name: 'cloud',
      server: `http://127.0.0.1:${port}`,
      user: 'bot',
      password: 'secret',
    })
    for (const times of [1, 2]) {
      await expect(sink.head('object')).rejects.toMatchObject({ code, retryable: true })
      expect(asked).toBe(times)
    }
  },
)
