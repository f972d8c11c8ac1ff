import { spawnSync } from 'node:child_process'
import { lstatSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Attribute, type Entry, SourceError, type SourceProblem } from '@pipe-backup/source'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { modeWithout } from './access-acl.ts'
import type { ExtractOptions } from './extract.ts'
import { extract } from './test-support/either-way.ts'

let target: string
beforeEach(() => {
  target = mkdtempSync(join(tmpdir(), 'extract-attributes-'))
})
afterEach(() => rmSync(target, { recursive: true, force: true }))

const CAPABILITY = Buffer.from('0100000200200000000000000000000000000000', 'hex')
// user::rw-, user:54321:rwx, group::r--, mask::rwx, other::---
const LIST = Buffer.from(
  '02000000' +
    '01000600ffffffff' +
    '0200070031d40000' +
    '04000400ffffffff' +
    '10000700ffffffff' +
    '20000000ffffffff',
  'hex',
)

function attributes(values: Readonly<Record<string, string | Buffer>>): Attribute[] {
  return Object.entries(values).map(([name, value]) => ({
    name: Buffer.from(name),
    value: Buffer.from(value),
  }))
}

function fifo(path: string | Buffer, mode: number, list?: Attribute[]): Entry {
  const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, user: '', group: '' }
  return { type: 'fifo', path: Buffer.from(path), mode, ...owner, mtimeNs: 0n, attributes: list }
}

function emptyFile(path: string | Buffer, mode: number, list?: Attribute[]): Entry {
  const reader = { read: () => 0, finish: () => ({ steady: true, mtimeNs: 0n }), close: () => undefined }
  return { ...fifo(path, mode, list), type: 'file', size: 0, open: () => reader }
}

async function problemsOf(entries: Entry[], options: ExtractOptions = {}): Promise<SourceProblem[]> {
  const problems: SourceProblem[] = []
  await extract(entries, target, { ...options, onProblem: (problem) => problems.push(problem) })
  return problems
}

function listed(path: string): string {
  return spawnSync('getfattr', ['-h', '-d', '-m', '-', '--absolute-names', path], { encoding: 'utf8' }).stdout
}

test('without the rights of root, capabilities are reported in one line, and the files are there', async () => {
  const entries = Array.from({ length: 3 }, (_, i) =>
    emptyFile(`f${i}`, 0o755, attributes({ 'security.capability': CAPABILITY, 'user.a': 'x' })),
  )
  expect(await problemsOf(entries, { ownership: false })).toEqual([
    {
      code: 'unreadable',
      path: 'f0',
      message: 'not restored: security.capability of 3 entries, this the first: only root may set it',
    },
  ])
  expect(listed(join(target, 'f2'))).toContain('user.a="x"')
})

test('without anybody to report to, the line is thrown', async () => {
  const entries = [emptyFile('f', 0o755, attributes({ 'trusted.a': 'x' }))]
  await expect(extract(entries, target, { ownership: false })).rejects.toBeInstanceOf(SourceError)
})

test('an attribute that is not kept is left out, in whatever entries it stands', async () => {
  const entries = [emptyFile('f', 0o644, attributes({ 'security.selinux': 'x', 'system.nfs4_acl': 'x' }))]
  expect(await problemsOf(entries)).toEqual([])
  expect(listed(join(target, 'f'))).toBe('')
})

test('a control list that can not be set leaves the group what the list gives it, not the mask', async () => {
  const broken = Buffer.concat([LIST, Buffer.of(1)])
  const entries = [emptyFile('f', 0o670, attributes({ 'system.posix_acl_access': broken }))]
  expect(await problemsOf(entries)).toMatchObject([{ path: 'f' }])
  expect(lstatSync(join(target, 'f')).mode & 0o7777).toBe(0o640)
  expect(modeWithout(Buffer.from('no list'), 0o4677)).toBe(0o4607)
})

test('nothing is inherited from the control list of the directory', async () => {
  spawnSync('setfacl', ['-m', 'd:u:54321:rwx', target])
  mkdirSync(join(target, 'before'))
  expect(await problemsOf([emptyFile('f', 0o640), fifo('p', 0o640)])).toEqual([])
  expect(listed(join(target, 'before'))).toContain('posix_acl')
  for (const path of ['f', 'p']) {
    expect(listed(join(target, path))).toBe('')
    expect(lstatSync(join(target, path)).mode & 0o777).toBe(0o640)
  }
})

test('in a directory whose name is not UTF-8 they are set, and on a file of such a name', async () => {
  const list = attributes({ 'user.a': 'x' })
  const directory = Buffer.from([0x64, 0xff])
  const below = (name: Buffer) => Buffer.concat([directory, Buffer.from('/'), name])
  const problems = await problemsOf([
    { ...fifo(directory, 0o755, list), type: 'directory' },
    emptyFile(below(Buffer.from('f')), 0o644, list),
    emptyFile(below(Buffer.from([0xfe])), 0o644, list),
  ])
  expect(problems).toEqual([])
  expect(
    spawnSync('getfattr', ['-R', target])
      .stdout.toString()
      .match(/user\.a/g),
  ).toHaveLength(3)
})
