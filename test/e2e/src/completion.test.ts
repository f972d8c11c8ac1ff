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

function environment(): { readonly cwd: string; readonly env: Record<string, string> } {
  const PATH = `${sandbox.path('bin')}:${process.env['PATH'] ?? ''}`
  return { cwd: sandbox.root, env: { ...sandbox.environment(), PATH, HOME: sandbox.root, TERM: 'xterm' } }
}

/** What bash offers at the end of these words, of which the last may be begun. */
async function offered(...words: string[]): Promise<string[]> {
  const asked = `
    source ./script
    [ "$(complete -p pipe-backup)" = 'complete -F _pipe_backup pipe-backup' ] || exit 9
    COMP_WORDS=(pipe-backup "$@")
    COMP_CWORD=$#
    _pipe_backup pipe-backup
    for reply in "\${COMPREPLY[@]}"; do printf '%s\\n' "$reply"; done`
  const { stdout } = await execa('bash', ['--norc', '-c', asked, 'bash', ...words], environment())
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

/** What fish offers at the end of this line. */
async function offeredByFish(line: string): Promise<string[]> {
  const asked = 'source ./script.fish; complete -C $argv[1]'
  const { stdout } = await execa('fish', ['--no-config', '-c', asked, line], environment())
  return stdout.split('\n').flatMap((one) => one.split('\t', 1).filter((name) => name !== ''))
}

test('fish offers commands, options, and names of the configuration', async () => {
  writeFileSync(sandbox.path('script.fish'), await sandbox.ok(['completion', 'fish']))
  expect((await offeredByFish('pipe-backup ')).toSorted()).toEqual((await helped()).toSorted())
  expect((await offeredByFish('pipe-backup key ')).toSorted()).toEqual((await helped('key')).toSorted())
  expect(await offeredByFish('pipe-backup restore latest --rep')).toEqual(['--repair'])
  expect((await offeredByFish('pipe-backup heal --sink ')).toSorted()).toEqual(['cloud', 'disk'])
  expect(await offeredByFish('pipe-backup --json run --source wo')).toEqual(['words'])
  expect(await offeredByFish('pipe-backup --config other.json heal --sink ')).toEqual(['tape'])
  expect(await offeredByFish('pipe-backup heal --config=other.json --sink ')).toEqual(['tape'])
  expect((await offeredByFish('pipe-backup completion ')).toSorted()).toEqual(['bash', 'fish', 'zsh'])
})

test('zsh completes what is begun', async () => {
  writeFileSync(sandbox.path('script.zsh'), await sandbox.ok(['completion', 'zsh']))
  // A terminal of its own for each line, for a line that is not new is drawn in pieces. It is read until it shows what it should.
  const typed = `
    zmodload zsh/zpty
    press() {
      zpty shell zsh -f -i
      zpty -w shell "PS1=; autoload -Uz compinit; compinit -u -d ./zcompdump; source ./script.zsh; print re''ady"
      zpty -r shell got '*ready*'
      zpty -w -n shell "$1"$'\\t'
      zpty -r shell got "*$2*"
      print -r -- "$2"
      zpty -d shell
    }
    press 'pipe-backup stat' 'pipe-backup status'
    press 'pipe-backup heal --sink d' 'pipe-backup heal --sink disk'
    press 'pipe-backup restore latest --rep' 'pipe-backup restore latest --repair'`
  const { stdout } = await execa('zsh', ['-f', '-c', typed], { ...environment(), timeout: 50_000 })
  expect(stdout.split('\n')).toEqual([
    'pipe-backup status',
    'pipe-backup heal --sink disk',
    'pipe-backup restore latest --repair',
  ])
})

test('a shell that is none of these is refused', async () => {
  expect((await sandbox.run(['completion', 'csh'])).code).toBe(2)
})
