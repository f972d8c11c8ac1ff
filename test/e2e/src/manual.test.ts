import { resolve } from 'node:path'
import { execa } from 'execa'
import { expect, test } from 'vitest'
import { Sandbox } from './sandbox.ts'

const PAGE = resolve(import.meta.dirname, '../../../apps/pipe-backup/bundle/pipe-backup.1')

/** As a terminal of 200 columns shows it. */
async function shown(): Promise<string> {
  const { stdout } = await execa('man', ['-l', PAGE], {
    env: { MANPAGER: 'cat', MANWIDTH: '200', MANROFFOPT: '-c', LC_ALL: 'C.UTF-8' },
  })
  return stdout.replaceAll(/\s+/g, ' ')
}

test('groff has nothing to say of the manual page', async () => {
  const { exitCode, stderr } = await execa('groff', ['-man', '-ww', '-z', '-Tutf8', '-Kutf8', PAGE], {
    reject: false,
  })
  expect([exitCode, stderr]).toEqual([0, ''])
})

test('man shows every command, with its options and its example', async () => {
  using sandbox = new Sandbox()
  const page = await shown()
  const help = (await sandbox.ok(['--help'])).toString()
  const commands = [...help.matchAll(/^ {2}([a-z]+)(?: \[options\].*| <.*)? {2,}\S/gm)].map(
    ([, name]) => name,
  )
  expect(commands).toEqual(expect.arrayContaining(['init', 'run', 'restore', 'key', 'daemon']))
  for (const command of commands) expect(page).toContain(`pipe-backup ${command} `)
  for (const command of ['run', 'restore', 'prune']) {
    const own = (await sandbox.ok([command, '--help'])).toString()
    const flags = [...own.matchAll(/^ {2}(--[a-z-]+)/gm)].map(([, flag]) => flag)
    expect(flags.length).toBeGreaterThan(2)
    for (const flag of flags) expect(page).toContain(flag)
    const example = own.split('Example:\n')[1]?.trim().split('\n')[0] ?? 'no example'
    expect(page).toContain(example)
  }
  expect(page).toContain('EXIT STATUS')
})
