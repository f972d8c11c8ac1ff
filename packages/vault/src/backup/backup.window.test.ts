import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Entry, Source } from '@pipe-backup/source'
import { expect, test } from 'vitest'
import { TestVault } from '../test-support/test-vault.ts'
import { createProgress } from './report.ts'

const MIB = 1024 * 1024
const LINKS = 12_000
const TARGET_BYTES = 2000

test('what is no file waits for the window, too: its manifest alone may be larger', async () => {
  using vault = await TestVault.create(['one'])
  const hold = Promise.withResolvers<void>()
  vault.sink('one').before = (op, key) =>
    op === 'put' && key.startsWith('packs/') ? hold.promise : undefined
  let asked = 0
  let isOver = false
  const source: Source = {
    name: 'links',
    async *entries() {
      const owner = { mode: 0o777, uid: 0, gid: 0, user: '', group: '', mtimeNs: 1n }
      for (; asked < LINKS; asked++) {
        const target = randomBytes(TARGET_BYTES).map((byte) => byte || 1)
        yield {
          type: 'symlink',
          path: Buffer.from(`l${String(asked).padStart(9, '0')}`),
          ...owner,
          target,
        } satisfies Entry
      }
    },
  }
  const progress = createProgress()
  const running = vault.run([source], { progress, windowBytes: 2 * MIB, detachAfterMs: 1e8 }).finally(() => {
    isOver = true
  })
  let most = 0
  // Until it stands still; where that is found too soon there is only less to see.
  for (let still = 0, last = -1; still < 10 && !isOver && asked < LINKS; last = asked) {
    await sleep(50)
    most = Math.max(most, progress.sinks[0]?.queuedBytes ?? 0)
    still = asked === last ? still + 1 : 0
  }
  hold.resolve()
  expect(await running).toMatchObject({ exitCode: 0, sources: [{ entries: LINKS }] })
  expect(most).toBeLessThan((LINKS * TARGET_BYTES) / 2)
})
