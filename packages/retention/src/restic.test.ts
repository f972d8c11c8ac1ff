import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Policy } from './policy.ts'
import { type RetentionSnapshot, retain } from './retain.ts'

const run = promisify(execFile)
const ZONE = 'Europe/Berlin'
const HOUR_MS = 3_600_000
let directory: string
let snapshots: RetentionSnapshot[]

const restic = async (...args: string[]): Promise<string> => {
  const env = {
    ...process.env,
    TZ: ZONE,
    RESTIC_PASSWORD: 'x',
    RESTIC_REPOSITORY: join(directory, 'repository'),
  }
  const { stdout } = await run('restic', ['--no-cache', '--json', ...args], { env, maxBuffer: 2 ** 26 })
  return stdout
}

/** Hours around both changes of the clocks, bursts, gaps of months, the turn of a year. */
function times(): number[] {
  const from = (start: string, stepMs: number, count: number) =>
    Array.from({ length: count }, (_, i) => Date.parse(start) + i * stepMs)
  return [
    ...from('2024-12-28T11:00:00Z', 24 * HOUR_MS, 7),
    ...from('2026-03-28T21:10:00Z', HOUR_MS, 8),
    ...from('2026-10-24T21:20:00Z', HOUR_MS, 8),
    ...from('2026-11-01T08:00:00Z', 7 * 60_000, 8),
    ...from('2026-11-10T22:30:00Z', 5 * HOUR_MS, 13),
  ]
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'restic-'))
  mkdirSync(join(directory, 'data'))
  writeFileSync(join(directory, 'data/file'), 'x')
  await restic('init')
  const wall = new Intl.DateTimeFormat('sv-SE', { timeZone: ZONE, dateStyle: 'short', timeStyle: 'medium' })
  // By the clock on the wall, as restic takes it: the hour that comes twice in autumn is one for restic, and which of two snapshots of the same second it keeps would be chance.
  for (const time of new Set(times().map((ms) => wall.format(ms))))
    await restic('backup', '--host', 'h', '--time', time, join(directory, 'data'))
  const listed = JSON.parse(await restic('snapshots')) as { id: string; time: string }[]
  snapshots = listed.map(({ id, time }) => ({
    id,
    time: new Date(time),
    hostId: 'h',
    sources: [{ name: 'data', state: 'ok' as const }],
  }))
}, 300_000)
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const POLICIES: readonly Policy[] = [
  { last: 1 },
  { last: 7 },
  { hourly: 24 },
  { daily: 7 },
  { weekly: 4 },
  { monthly: 12 },
  { yearly: 3 },
  { hourly: 24, daily: 7, weekly: 4, monthly: 12 },
  { last: 3, hourly: 5, daily: 2, weekly: 1, monthly: 2, yearly: 1 },
  { hourly: 11, weekly: 9 },
  { within: 36 * HOUR_MS },
  { within: 20 * 24 * HOUR_MS, monthly: 2 },
]

test('restic keeps the same snapshots', async () => {
  for (const policy of POLICIES) {
    const flags = Object.entries(policy).flatMap(([rule, value]) => [
      `--keep-${rule}`,
      rule === 'within' ? `${value / HOUR_MS}h` : String(value),
    ])
    const groups = JSON.parse(await restic('forget', '--dry-run', ...flags)) as { keep: { id: string }[] }[]
    const wanted = groups.flatMap(({ keep }) => keep.map(({ id }) => id)).sort()
    const kept = [...retain(snapshots, policy, { timeZone: ZONE }).kept.keys()].sort()
    expect({ policy, kept }).toEqual({ policy, kept: wanted })
  }
})
