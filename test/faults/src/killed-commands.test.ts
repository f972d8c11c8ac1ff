import type { Sandbox } from '@pipe-backup-test/e2e'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ALL, SEED } from './fault-sample.ts'
import { KILLED_COMMANDS, killingGround, killOnce } from './killed-commands.ts'
import { seeded } from './simulated-server.ts'

let ground: Sandbox
beforeAll(async () => {
  ground = await killingGround()
})
afterAll(() => ground[Symbol.dispose]())

test.for(KILLED_COMMANDS.map((command, i) => ({ ...command, i, line: command.args.join(' ') })))(
  '$line ($i): killed at whatever write to a disk, the next commands do without help',
  { timeout: 36_000_000 },
  async ({ i, line, ...command }) => {
    const { writes, problems } = await killOnce(ground, command, { at: 0, side: 'after' })
    expect(problems).toEqual([])
    expect(writes).toBeGreaterThan(0)
    const random = seeded(SEED + i)
    const points = ALL ? Array.from({ length: writes }, (_, n) => n + 1) : [1 + Math.floor(random() * writes)]
    for (const at of points) {
      for (const side of ALL
        ? (['before', 'after'] as const)
        : ([random() < 0.5 ? 'before' : 'after'] as const)) {
        const killed = await killOnce(ground, command, { at, side })
        for (const problem of killed.problems) problems.push(`killed ${side} write ${at}: ${problem}`)
      }
    }
    process.stdout.write(`${line}: ${writes} writes, ${points.length} tried, seed ${SEED}\n`)
    for (const problem of problems) process.stdout.write(`${line}: ${problem}\n`)
    expect(problems).toEqual([])
  },
)
