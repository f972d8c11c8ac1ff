import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { Sandbox } from './sandbox.ts'

test('a new machine with the phrase joins and restores, although the secret of one sink is lost', async () => {
  using sandbox = new Sandbox()
  mkdirSync(sandbox.path('tree'))
  writeFileSync(sandbox.path('tree/wallet'), 'seed')
  const nobody = { env: 'A_SECRET_THAT_IS_LOST' }
  sandbox.configure({
    sources: [{ type: 'files', name: 'tree', paths: [sandbox.path('tree')] }],
    sinks: [
      ...sandbox.sinks('disk'),
      { type: 'webdav', name: 'cloud', url: 'https://127.0.0.1:1/', user: 'bot', password: nobody },
    ],
    copies: 1,
  })
  // A vault that is new wants all of them.
  const made = await sandbox.run(['init', '--phrase-out', 'phrase'])
  expect([made.code, made.err]).toEqual([2, expect.stringContaining('A_SECRET_THAT_IS_LOST is not set')])
  const env = { A_SECRET_THAT_IS_LOST: 'x' }
  expect(await sandbox.run(['init', '--phrase-out', 'phrase'], { env })).toMatchObject({ code: 3 })
  await sandbox.run(['run'], { env })

  const elsewhere = { machine: 'new' }
  const joined = await sandbox.run(['init', '--phrase-file', 'phrase'], elsewhere)
  expect([joined.code, joined.err]).toEqual([
    3,
    expect.stringContaining(
      'sink "cloud": not opened: the environment variable A_SECRET_THAT_IS_LOST is not set',
    ),
  ])
  expect(joined.out.toString()).toContain('joined on disk')
  await sandbox.ok(['restore', 'latest', '--to', 'back', '--phrase-file', 'phrase'], elsewhere)
  expect(readFileSync(sandbox.path(`back/tree${sandbox.path('tree/wallet')}`), 'utf8')).toBe('seed')
})
