import assert from 'node:assert/strict'
import { chownSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { execa } from 'execa'

const PACKAGE = resolve(import.meta.dirname, '../../../apps/pipe-backup/package.json')

/**
 * Sets up, backs up, verifies and restores by a program that was installed somewhere, and compares.
 * @param home - a directory, made here, that is the program's home and working directory
 * @param user - whom all in it belongs to
 * @param run - runs the program there as this user, and gives what it printed
 * @throws when a command fails, or when what came back is something else
 */
export async function useInstalled(
  home: string,
  user: number,
  run: (args: readonly string[]) => Promise<string>,
): Promise<void> {
  mkdirSync(join(home, 'tree/below'), { recursive: true })
  writeFileSync(join(home, 'tree/below/file'), 'content')
  // Attributes are read and restored by a native module.
  await execa('setfattr', ['-n', 'user.note', '-v', 'kept', join(home, 'tree/below/file')])
  const config = {
    vault: 'bare',
    sources: [{ type: 'files', name: 'tree', paths: ['tree'] }],
    sinks: ['one', 'two'].map((name) => ({ type: 'local', name, path: `sinks/${name}` })),
  }
  writeFileSync(join(home, 'pipe-backup.json'), JSON.stringify(config), { mode: 0o600 })
  for (const path of ['', ...readdirSync(home, { recursive: true, encoding: 'utf8' })])
    chownSync(join(home, path), user, user)

  const { version } = JSON.parse(readFileSync(PACKAGE, 'utf8')) as { version: string }
  assert.equal(await run(['--version']), version)
  await run(['config', 'check'])
  await run(['init', '--phrase-out', 'phrase'])
  await run(['run'])
  await run(['verify', '--deep', '--phrase-file', 'phrase'])
  await run(['restore', 'latest', '--to', 'restored', '--phrase-file', 'phrase'])
  const { stdout } = await execa('find', [join(home, 'restored'), '-path', '*below/file'])
  assert.equal(readFileSync(stdout, 'utf8'), 'content')
  const note = await execa('getfattr', ['--only-values', '-n', 'user.note', stdout])
  assert.equal(note.stdout, 'kept')
}
