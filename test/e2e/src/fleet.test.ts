import { startS3 } from '@pipe-backup-test/services'
import { expect, test } from 'vitest'
import { livesOfFleet } from './fleet.ts'

test('five hosts that may write and one that prunes share a distributed store, all at once, and nothing is lost', async () => {
  await using server = await startS3()
  expect(await livesOfFleet(server)).toEqual([])
})
