import { SinkError } from '@pipe-backup/sink'
import { memorySink } from '@pipe-backup/sink/testing'
import { expect, test } from 'vitest'
import { sinkType } from './sink-type.ts'

test.for([
  [0, 1],
  [1, 2],
  [2, 3],
] as const)('with retries %i a request that may pass is made %i times', async ([retries, made]) => {
  let asked = 0
  const down = {
    ...memorySink(),
    head: async () => {
      asked++
      throw new SinkError('unreachable', 'nothing answers', { sink: 'far' })
    },
  }
  const type = sinkType('down', 'a server that is down', {}, async () => down)
  const context = {
    path: (value: string) => value,
    secret: async () => '',
    secretLine: async () => '',
    create: false,
  }
  const sink = await type.open({ type: 'down', name: 'far', retries }, context)
  await expect(sink.head('key')).rejects.toMatchObject({ code: 'unreachable' })
  expect(asked).toBe(made)
})
