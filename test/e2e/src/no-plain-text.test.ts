import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Sandbox } from './sandbox.ts'

function filesBelow(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
}

test('no planted marker, file name, password or word of the phrase is in any object, in the state, in the process list or in what is printed', async () => {
  using sandbox = new Sandbox()
  mkdirSync(sandbox.path('tree'))
  const [marker, name, password] = ['MARKER-5f1c9a', 'filename-77aa31', 'p4ssw0rd-e2c4']
  writeFileSync(sandbox.path('tree', name), `${marker}\n`.repeat(5000))
  writeFileSync(sandbox.path('tree/tiny'), marker)
  sandbox.configure({
    sources: [
      { type: 'files', name: 'tree', paths: ['tree'] },
      {
        type: 'command',
        name: 'slow',
        run: ['sh', '-c', `sleep 1; echo "$SECRET"`],
        path: 'out',
        env: { SECRET: { env: 'THE_SECRET' } },
      },
    ],
    sinks: sandbox.sinks('one', 'two'),
  })
  await sandbox.ok(['init', '--phrase-out', 'phrase'])
  const phrase = readFileSync(sandbox.path('phrase'), 'utf8').trim()

  const running = sandbox.run(['run', '--verbose'], {
    env: {
      THE_SECRET: password,
      XDG_CONFIG_HOME: sandbox.path('home/config'),
      XDG_STATE_HOME: sandbox.path('home/state'),
    },
  })
  const seen: string[] = []
  for (let i = 0; i < 20; i++) {
    for (const pid of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
      try {
        seen.push(readFileSync(`/proc/${pid}/cmdline`, 'utf8'))
      } catch {
        // It has ended.
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  const { code, out, err } = await running
  expect(code).toBe(0)

  const secrets = [marker, name, password, phrase.split(/\s+/).slice(0, 3).join(' ')]
  const objects = [
    ...filesBelow(sandbox.path('sinks')),
    ...filesBelow(sandbox.path('home/state')),
    ...filesBelow(sandbox.path('home/config')),
  ]
  expect(objects.length).toBeGreaterThan(8)
  for (const secret of secrets) {
    for (const path of objects) expect([path, readFileSync(path).includes(secret)]).toEqual([path, false])
    expect(Buffer.concat([out, Buffer.from(err)]).includes(secret)).toBe(false)
  }
  for (const secret of [password, phrase]) expect(seen.filter((line) => line.includes(secret))).toEqual([])
})
