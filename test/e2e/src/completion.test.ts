import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { execa } from 'execa'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { MAIN, Sandbox } from './sandbox.ts'

const sandbox = new Sandbox()

beforeAll(async () => {
  sandbox.configure({
    sources: [
      { type: 'files', name: 'wallet', paths: ['/w'] },
      { type: 'command', name: 'words', run: ['echo'], path: 'x' },
    ],
    sinks: sandbox.sinks('disk', 'cloud'),
  })
  mkdirSync(sandbox.path('bin'))
  writeFileSync(sandbox.path('bin/pipe-backup'), `#!/bin/sh\nexec '${process.execPath}' '${MAIN}' "$@"\n`)
  chmodSync(sandbox.path('bin/pipe-backup'), 0o755)
  mkdirSync(sandbox.path('a directory'))
  writeFileSync(sandbox.path('a file'), '')
  writeFileSync(
    sandbox.path('other.json'),
    JSON.stringify({
      vault: 'other',
      sources: [{ type: 'files', name: 'elsewhere', paths: ['/e'] }],
      sinks: sandbox.sinks('tape'),
    }),
    { mode: 0o600 },
  )
  writeFileSync(sandbox.path('script'), await sandbox.ok(['completion', 'bash']))
})
afterAll(() => sandbox[Symbol.dispose]())

/** What bash offers at the end of these words, of which the last may be begun. */
async function offered(...words: string[]): Promise<string[]> {
  const asked = `
    source ./script
    [ "$(complete -p pipe-backup)" = 'complete -F _pipe_backup pipe-backup' ] || exit 9
    COMP_WORDS=(pipe-backup "$@")
    COMP_CWORD=$#
    _pipe_backup pipe-backup
    for reply in "\${COMPREPLY[@]}"; do printf '%s\\n' "$reply"; done`
  const { stdout } = await execa('bash', ['--norc', '-c', asked, 'bash', ...words], {
    cwd: sandbox.root,
    env: {
      ...sandbox.environment(),
      PATH: `${sandbox.path('bin')}:${process.env['PATH'] ?? ''}`,
    },
  })
  return stdout.split('\n').filter((line) => line !== '')
}

/** The commands that a help lists. */
async function helped(...command: string[]): Promise<string[]> {
  const help = (await sandbox.ok([...command, '--help'])).toString()
  const commands = /\nCommands:\n((?: {2}.*\n)+)/.exec(help)?.[1] ?? ''
  return commands.split('\n').flatMap((line) => /^ {2}(\S+)/.exec(line)?.[1] ?? [])
}

test('the commands that the help lists are offered, all of them', async () => {
  const commands = await helped()
  expect(commands).toEqual(expect.arrayContaining(['init', 'find', 'diff', 'completion']))
  expect(await offered('')).toEqual(commands)
  expect(await offered('key', '')).toEqual(await helped('key'))
  expect(await offered('s')).toEqual(commands.filter((name) => name.startsWith('s')))
  expect(await offered('--json', 'key', 'c')).toEqual(['check'])
})

test('the options that the help lists are offered, those of the command and those of all', async () => {
  for (const command of await helped()) {
    const help = (await sandbox.ok([command, '--help'])).toString()
    const flags = help.split('\n').flatMap((line) => /^ {2}(?:-\w, )?(--[\w-]+)/.exec(line)?.[1] ?? [])
    expect(flags).toContain('--config')
    expect([command, (await offered(command, '--')).toSorted()]).toEqual([command, flags.toSorted()])
  }
  expect(await offered('restore', 'latest', '--re')).toEqual(['--repair'])
})

test('sources and sinks are those of the configuration', async () => {
  expect(await offered('run', '--source', '')).toEqual(['wallet', 'words'])
  expect(await offered('run', '--source', '=', 'wa')).toEqual(['wallet'])
  expect(await offered('heal', '--sink', '')).toEqual(['disk', 'cloud'])
  expect(await offered('ls', '--from', 'd')).toEqual(['disk'])
  expect(await offered('--config', 'other.json', 'run', '--source', '')).toEqual(['elsewhere'])
  expect(await offered('--config', '=', 'other.json', 'heal', '--sink', '=')).toEqual(['tape'])
  expect(await offered('--config', 'none.json', 'heal', '--sink', '')).toEqual([])
})

test('snapshots, paths, files and shells are offered where they stand', async () => {
  expect(await offered('ls', '')).toEqual(['latest'])
  expect(await offered('ls', 'latest', 'wa')).toEqual(['wallet/'])
  expect(await offered('restore', 'latest', 'wallet/x', '--to', '/x', 'wo')).toEqual(['words/'])
  expect(await offered('ls', 'latest', 'wallet', '')).toEqual([])
  expect(await offered('diff', 'latest~1', '')).toEqual(['latest'])
  expect(await offered('restore', 'latest', '--to', 'a ')).toEqual(['a directory'])
  expect((await offered('ls', '--phrase-file', 'a ')).sort()).toEqual(['a directory', 'a file'])
  expect(await offered('completion', '')).toEqual(['bash', 'zsh', 'fish'])
})

test('a shell that is none of these is refused, and zsh and fish get scripts with every command', async () => {
  expect((await sandbox.run(['completion', 'csh'])).code).toBe(2)
  const commands = await helped()
  const fish = (await sandbox.ok(['completion', 'fish'])).toString()
  for (const name of commands) expect(fish).toContain(` -a '${name}' -d '`)
  expect((await sandbox.ok(['completion', 'zsh'])).toString()).toContain('bashcompinit\n')
})
