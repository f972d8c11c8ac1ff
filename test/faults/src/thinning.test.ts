import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deriveKeys } from '@pipe-backup/crypto'
import { retain } from '@pipe-backup/retention'
import { memorySink } from '@pipe-backup/sink/testing'
import { backup, createVaultHost, initVault, listSnapshots, prune } from '@pipe-backup/vault'
import { expect, onTestFinished, test } from 'vitest'
import { bytesOf, restored } from './restored.ts'
import { SimulatedServer, seeded } from './simulated-server.ts'

const HOUR_MS = 3_600_000
const START_MS = Date.parse('2026-01-01T00:00:00Z')
/** `SNAPSHOTS=1000` takes some minutes. */
const SNAPSHOTS = Number(process.env['SNAPSHOTS'] ?? 100)

test('many hourly snapshots are thinned in one run, and what stays restores from each sink alone', async () => {
  const stateDirectory = mkdtempSync(join(tmpdir(), 'pipe-backup-thin-'))
  onTestFinished(() => rmSync(stateDirectory, { recursive: true }))
  let hour = 0
  const now = () => new Date(START_MS + hour * HOUR_MS)
  const sinks = ['a', 'b', 'c'].map((name) => memorySink(name, now))
  const keys = await deriveKeys(new Uint8Array(32).fill(5))
  await initVault({ sinks, publicKey: keys.publicKey })
  const vault = { host: createVaultHost(keys), hostName: 'server', stateDirectory, sinks, now }
  const server = new SimulatedServer(seeded(1))
  const expected = new Map<string, string>()
  for (hour = 1; hour <= SNAPSHOTS; hour++) {
    server.live()
    const made = await backup({ ...vault, program: 'test', sources: server.sources(), copies: 3 })
    expected.set(made.snapshot ?? '', server.fingerprint())
  }
  const before = sinks.map(bytesOf)
  const keep = { hourly: 24, daily: 7, weekly: 4, monthly: 12 }
  const choose: Parameters<typeof prune>[0]['choose'] = (snapshots) =>
    new Set(retain(snapshots, keep, { timeZone: 'UTC', floorDays: 7 }).removed)
  const first = await prune({ ...vault, choose, compact: true, graceMs: 0 })
  expect(first).toMatchObject({ exitCode: 0, removed: { length: SNAPSHOTS - first.kept } })
  // 24 hours, 7 days of which two are among them, and so on.
  expect(first.kept).toBeGreaterThanOrEqual(24 + 3)
  expect(first.kept).toBeLessThanOrEqual(24 + 7 + 4 + 2)
  const after = sinks.map(bytesOf)
  const kept = await listSnapshots({ sinks, keys })
  process.stdout.write(
    `${SNAPSHOTS} snapshots, ${kept.length} kept; MB per sink: ${before.map(mega).join(', ')} before, ${after.map(mega).join(', ')} after\n`,
  )
  for (const [i, bytes] of after.entries()) expect(bytes).toBeLessThan((before[i] ?? 0) / 2)
  for (const sink of sinks) {
    for (const snapshot of await listSnapshots({ sinks: [sink], keys }))
      expect(await restored([sink], keys, snapshot)).toBe(expected.get(snapshot.id))
  }
}, 600_000)

const mega = (bytes: number) => (bytes / 1e6).toFixed(2)
