import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { Sandbox } from '@pipe-backup-test/e2e'
import { execa } from 'execa'
import { expect, test } from 'vitest'

const last = (out: Buffer) => JSON.parse(out.toString().trim().split('\n').at(-1) ?? '')

test('when the disk of the local state is full the backup goes on, and says so; what was remembered is there again later', async () => {
  using sandbox = new Sandbox()
  mkdirSync(sandbox.path('tree'))
  for (let i = 0; i < 300; i++) writeFileSync(sandbox.path(`tree/f${i}`), `content ${i}`)
  sandbox.configure({
    sources: [{ type: 'files', name: 'tree', paths: ['tree'] }],
    sinks: sandbox.sinks('one', 'two'),
    keep: { last: 3 },
    notify: [{ type: 'command', run: ['sh', '-c', 'cat >> told'] }],
  })
  const state = sandbox.path('home/state')
  mkdirSync(state, { recursive: true })
  await execa('mount', ['-t', 'tmpfs', '-o', 'size=400k', 'tmpfs', state])
  try {
    await sandbox.ok(['init', '--phrase-out', 'phrase'])
    await sandbox.ok(['run'])
    await execa('dd', ['if=/dev/zero', `of=${state}/fill`, 'bs=1k', 'count=1000'], { reject: false })

    writeFileSync(sandbox.path('tree/new'), 'stored on a full disk')
    const full = await sandbox.run(['run', '--json'])
    expect([full.code, last(full.out).copies]).toEqual([0, 2])
    expect(full.err).toMatch(
      /files\.db could not be kept, so the next run reads more than has changed: .*\(is there space left\?\)/,
    )
    expect(full.err).toContain('notify.json could not be written: no space left on device')
    for (const command of ['scheduled', 'heal', 'prune', 'verify'])
      expect({ command, ...(await sandbox.run([command])) }).toMatchObject({ command, code: 0 })

    rmSync(`${state}/fill`)
    const later = last(await sandbox.ok(['run', '--json']))
    expect(later).toMatchObject({ exitCode: 0, sources: [{ entries: 302 }] })
    // Only the one file that came while nothing could be remembered.
    expect(later.sources[0].bytesRead).toBe('stored on a full disk'.length)
  } finally {
    await execa('umount', [state])
  }
})
