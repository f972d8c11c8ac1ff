import { chmodSync, chownSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { execa } from 'execa'
import { beforeAll, expect, test } from 'vitest'
import { Sandbox } from './sandbox.ts'

/** Users without names on this machine. */
const NOBODY_SPECIAL = 54_321

/** A tree with every kind of attribute that is kept. As root. */
async function makeTree(root: string): Promise<void> {
  mkdirSync(`${root}/d`, { recursive: true })
  for (const name of ['ping', 'note', 'plain', 'd/shared']) writeFileSync(`${root}/${name}`, name)
  symlinkSync('note', `${root}/link`)
  chmodSync(`${root}/ping`, 0o755)
  chmodSync(`${root}/d/shared`, 0o600)
  chownSync(`${root}/ping`, NOBODY_SPECIAL, NOBODY_SPECIAL)
  await execa('setcap', ['cap_net_raw+ep', `${root}/ping`])
  await execa('setfattr', ['-n', 'user.bytes', '-v', '0x00ff0a3d25', `${root}/note`])
  await execa('setfattr', ['-n', 'user.empty', `${root}/note`])
  await execa('setfattr', ['-n', 'trusted.note', '-v', 'x', `${root}/d`])
  await execa('setfacl', ['-m', `u:${NOBODY_SPECIAL}:rwx`, `${root}/d/shared`])
  // Last: what is made in it from here on would get it too.
  await execa('setfacl', ['-m', `u:${NOBODY_SPECIAL}:rx,d:u:${NOBODY_SPECIAL}:rwx`, `${root}/d`])
}

/** All attributes below a directory, those of the control lists as text too, in order. */
async function attributesIn(root: string): Promise<string> {
  const raw = await execa('getfattr', ['-R', '-h', '-P', '-d', '-m', '-', '-e', 'hex', '.'], { cwd: root })
  const lists = await execa('getfacl', ['-R', '-P', '-n', '.'], { cwd: root })
  return `${raw.stdout.split('\n\n').toSorted().join('\n')}\n${lists.stdout}`
}

let sandbox: Sandbox
let tree: string
let wanted: string
beforeAll(async () => {
  sandbox = new Sandbox()
  tree = sandbox.path('tree')
  await makeTree(tree)
  wanted = await attributesIn(tree)
  sandbox.configure({ sources: [{ type: 'files', name: 't', paths: [tree] }], sinks: sandbox.sinks('one') })
  await sandbox.ok(['init', '--phrase-out', 'phrase'])
  await sandbox.ok(['run'])
  return () => sandbox[Symbol.dispose]()
})

test('attributes, control lists and capabilities come back', async () => {
  await sandbox.ok(['restore', 'latest', '--phrase-file', 'phrase', '--to', 'out'])
  expect(await attributesIn(sandbox.path(`out/t${tree}`))).toBe(wanted)
})

test('those of unchanged files are in the next snapshot too, and a changed one is', async () => {
  await sandbox.ok(['run'])
  await sandbox.ok(['restore', 'latest', '--phrase-file', 'phrase', '--to', 'again'])
  expect(await attributesIn(sandbox.path(`again/t${tree}`))).toBe(wanted)
  await execa('setfattr', ['-n', 'user.later', '-v', 'x', `${tree}/plain`])
  await sandbox.ok(['run'])
  await sandbox.ok(['restore', 'latest', '--phrase-file', 'phrase', '--to', 'later'])
  const { stdout } = await execa('getfattr', ['-d', 'plain'], { cwd: sandbox.path(`later/t${tree}`) })
  expect(stdout).toContain('user.later="x"')
  await execa('setfattr', ['-x', 'user.later', `${tree}/plain`])
  await sandbox.ok(['run'])
})

test.for([
  ['GNU tar', 'tar', ['--xattrs', '--xattrs-include=*', '--numeric-owner', '-xpf']],
  ['bsdtar', 'bsdtar', ['--xattrs', '--acls', '--numeric-owner', '-xpf']],
] as const)('%s restores them from the tar', async ([, program, options]) => {
  writeFileSync(sandbox.path('all.tar'), await sandbox.ok(['restore', 'latest', '--phrase-file', 'phrase']))
  const to = sandbox.path(`by-${program}`)
  mkdirSync(to)
  await execa(program, [...options, sandbox.path('all.tar'), '-C', to])
  expect(await attributesIn(`${to}/t${tree}`)).toBe(wanted)
})

test('recover.py restores them', async () => {
  const script = new URL('../../recover/recover.py', import.meta.url).pathname
  const to = sandbox.path('by-python')
  await execa('/usr/bin/python3', [
    script,
    sandbox.path('sinks/one'),
    '--phrase-file',
    sandbox.path('phrase'),
    '--to',
    to,
  ])
  expect(await attributesIn(`${to}/t${tree}`)).toBe(wanted)
})
