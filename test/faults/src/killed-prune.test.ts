import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Sandbox } from '@pipe-backup-test/e2e'
import { expect, test } from 'vitest'

const SINKS = ['one', 'two']
/** Two machines of one vault, each with a tree of its own. */
const MACHINES = ['home', 'other']

async function prepared(sandbox: Sandbox): Promise<void> {
  for (const machine of MACHINES) {
    mkdirSync(sandbox.path(`tree-${machine}`))
    writeFileSync(sandbox.path(`tree-${machine}`, 'steady'), randomBytes(300_000))
    change(sandbox, machine, 'first')
    const config = {
      vault: 'shared',
      host: machine,
      sources: [{ type: 'files', name: 'tree', paths: [sandbox.path(`tree-${machine}`)] }],
      sinks: sandbox.sinks(...SINKS),
      keep: { last: 2 },
      grace: '0s',
      copies: 1,
    }
    writeFileSync(sandbox.path(`${machine}.json`), JSON.stringify(config), { mode: 0o600 })
  }
  await sandbox.ok(['init', '--config', 'home.json', '--phrase-out', 'phrase'], { machine: 'home' })
  await sandbox.ok(['init', '--config', 'other.json', '--phrase-file', 'phrase'], { machine: 'other' })
}

/** The tree says of itself what it is: the bytes of one file are named in another. */
function change(sandbox: Sandbox, machine: string, label: string): void {
  for (const file of ['first', 'second'])
    writeFileSync(sandbox.path(`tree-${machine}`, file), `${machine} ${label}\n`.repeat(20_000))
}

/** As if the machines that died had been dead for two days. */
function ageSessions(sandbox: Sandbox): void {
  for (const sink of SINKS) {
    const directory = sandbox.path('sinks', sink, 'sessions')
    if (!existsSync(directory)) continue
    const then = Date.now() / 1000 - 2 * 86_400
    for (const name of readdirSync(directory)) utimesSync(join(directory, name), then, then)
  }
}

async function provenSnapshots(sandbox: Sandbox): Promise<number> {
  let proven = 0
  for (const sink of SINKS) {
    const listed = await sandbox.ok(['snapshots', '--config', 'home.json', '--json', '--from', sink], {
      machine: 'home',
    })
    for (const line of listed.toString().trim().split('\n').filter(Boolean)) {
      const { id, host } = JSON.parse(line)
      await sandbox.ok(
        ['restore', id, '--config', 'home.json', '--from', sink, '--phrase-file', 'phrase', '--to', 'back'],
        { machine: 'home' },
      )
      const at = (name: string) => readFileSync(sandbox.path('back/tree', sandbox.path(`tree-${host}`), name))
      expect(at('steady')).toEqual(readFileSync(sandbox.path(`tree-${host}`, 'steady')))
      expect(at('first').length).toBeGreaterThan(100_000)
      rmSync(sandbox.path('back'), { recursive: true })
      proven++
    }
  }
  return proven
}

test('two machines back up, prune and heal at once, and are killed: every snapshot of every sink restores from it alone', async () => {
  using sandbox = new Sandbox()
  await prepared(sandbox)
  for (const machine of MACHINES)
    for (const label of ['a', 'b', 'c']) {
      change(sandbox, machine, label)
      await sandbox.ok(['run', '--config', `${machine}.json`], { machine })
    }
  const commands = [['run'], ['prune'], ['prune', '--compact'], ['heal']]
  for (let round = 0; round < 8; round++) {
    await Promise.all(
      MACHINES.map(async (machine, i) => {
        change(sandbox, machine, `round ${round % 3}`)
        const command = i === 0 ? (commands[round % 4] ?? []) : (commands[(round >> 1) % 4] ?? [])
        // From the start of the program to after its end.
        const stop = AbortSignal.timeout(150 + ((round * 7 + i * 3) % 9) * 90)
        const options = { machine, cancelSignal: stop, killSignal: 'SIGKILL' as const }
        const { code, err } = await sandbox.run([...command, '--config', `${machine}.json`], options)
        // Killed, or done; a prune may find the other one pruning.
        if (code === 1) expect(err).toMatch(/has been pruning|another/)
      }),
    )
    ageSessions(sandbox)
  }
  expect(await provenSnapshots(sandbox)).toBeGreaterThan(4)
  for (const machine of MACHINES) await sandbox.ok(['run', '--config', `${machine}.json`], { machine })
  await sandbox.ok(['prune', '--config', 'home.json'], { machine: 'home' })
  await sandbox.ok(['heal', '--config', 'home.json'], { machine: 'home' })
  await sandbox.ok(['verify', '--deep', '--config', 'home.json', '--phrase-file', 'phrase'], {
    machine: 'home',
  })
  expect(await provenSnapshots(sandbox)).toBe(8)
})
