import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { writeStateFile } from '@pipe-backup/vault'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { readNotifyLog, writeNotifyLog } from './notify-log.ts'

const EMPTY = { reminders: {}, pending: {}, lastGood: {}, watchedSince: {} }
const TIME = '2026-11-23T10:00:00.000Z'
let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'notify-log-'))
})
afterEach(() => rm(directory, { recursive: true }))

test('what was written is read', async () => {
  const log = {
    reminders: { 'sink aws': { level: 'failure', message: 'is down', since: TIME, notifiedAt: TIME } },
    pending: { 'email 1': [{ level: 'failure', subject: 'sink aws', message: 'is down', since: TIME }] },
    lastGood: { 'sink aws': TIME },
    watchedSince: { 'sink aws': TIME },
  } as const
  await writeNotifyLog(directory, log)
  expect(await readNotifyLog(directory)).toEqual(log)
})

test.for([
  '',
  '{"reminders":{',
  'null',
  '[]',
  '{"reminders":null,"pending":null}',
  '{"reminders":{"run":7},"pending":{"email 1":"due"},"lastGood":{"sink aws":"soon"},"watchedSince":[3]}',
  '{"reminders":{"run":{"level":"failure"}},"pending":{"email 1":[{"level":"failure"}]},"lastGood":7}',
])('of %j what can not be used is left out', async (text) => {
  const file = join(directory, 'notify.json')
  await writeFile(file, text)
  expect(await readNotifyLog(directory)).toEqual(EMPTY)
  // As an older or a newer version of this program would have written it, with its checksum.
  if (text === '' || text.endsWith('{')) return
  await writeStateFile(file, JSON.parse(text))
  expect(await readNotifyLog(directory)).toEqual(EMPTY)
})
