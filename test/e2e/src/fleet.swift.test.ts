import { startSwift } from '@pipe-backup-test/services'
import { expect, test } from 'vitest'
import { livesOfFleet } from './fleet.ts'

test('five hosts that may write and one that prunes share a Swift, all at once, and nothing is lost', async () => {
  await using server = await startSwift()
  expect(await livesOfFleet(server)).toEqual([])
})
