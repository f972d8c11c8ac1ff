import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Entry, SourceProblem } from '@pipe-backup/source'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { files } from './files.ts'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'files-attributes-'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

function set(path: string, name: string, value: string): void {
  const { status, stderr } = spawnSync('setfattr', ['-h', '-n', name, '-v', value, path], {
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(stderr)
}

/** What is read, by the ends of the paths; and what was reported. */
async function read(path: string) {
  const found = new Map<string, Record<string, string> | undefined>()
  const problems: SourceProblem[] = []
  for await (const entry of files([path], { onProblem: (problem) => problems.push(problem) })) {
    await openAndClose(entry)
    const { attributes } = entry
    found.set(
      Buffer.from(entry.path).toString('latin1').split('/').at(-1) ?? '',
      attributes &&
        Object.fromEntries(
          attributes.map(({ name, value }) => [
            Buffer.from(name).toString(),
            Buffer.from(value).toString('latin1'),
          ]),
        ),
    )
  }
  return { found, problems }
}

async function openAndClose(entry: Entry): Promise<void> {
  if (entry.type === 'file') await (await entry.open()).close()
}

test('files and directories have theirs, bytes as they are and in order; links have not those of their targets', async () => {
  mkdirSync(join(root, 'd'))
  for (const name of ['f', 'none']) writeFileSync(join(root, name), name)
  set(join(root, 'f'), 'user.b', '0x00ff0a')
  set(join(root, 'f'), 'user.a', '')
  set(join(root, 'd'), 'user.d', 'x')
  symlinkSync('f', join(root, 'link'))
  const { found, problems } = await read(root)
  expect(problems).toEqual([])
  expect(found.get('f')).toEqual({ 'user.a': '', 'user.b': '\0\xff\n' })
  expect(Object.keys(found.get('f') ?? {})).toEqual(['user.a', 'user.b'])
  expect(found.get('d')).toEqual({ 'user.d': 'x' })
  expect([found.get('none'), found.get('link')]).toEqual([undefined, undefined])
})

test('a file that is not opened is not asked', async () => {
  writeFileSync(join(root, 'f'), 'f')
  set(join(root, 'f'), 'user.a', 'x')
  for await (const entry of files([join(root, 'f')])) expect(entry.attributes).toBeUndefined()
})

test('control lists are read, what belongs to the machine is not', async () => {
  writeFileSync(join(root, 'f'), 'f')
  spawnSync('setfacl', ['-m', 'u:54321:r', join(root, 'f')])
  if (process.geteuid?.() === 0) set(join(root, 'f'), 'security.evil', 'x')
  expect(Object.keys((await read(root)).found.get('f') ?? {})).toEqual(['system.posix_acl_access'])
})

test('names that are not UTF-8 are reported once, where nothing can be asked', async () => {
  const inside = Buffer.concat([Buffer.from(`${root}/d`), Buffer.of(0xff)])
  mkdirSync(inside)
  for (const name of [Buffer.from('f'), Buffer.of(0xfd), Buffer.of(0xfe)])
    writeFileSync(Buffer.concat([inside, Buffer.from('/'), name]), 'x')
  const python = `import os; d = ${JSON.stringify(root)}.encode() + b'/d\\xff'
for p in (d, d + b'/f'): os.setxattr(p, 'user.a', b'x')`
  spawnSync('/usr/bin/python3', ['-c', python])
  const { found, problems } = await read(root)
  expect([found.get('d\xff'), found.get('f')]).toEqual([{ 'user.a': 'x' }, { 'user.a': 'x' }])
  expect(problems).toMatchObject([
    { code: 'skipped', message: expect.stringContaining('of 2 whose names are not UTF-8') },
  ])
})

test('a file system without attributes is read as before', async () => {
  const { found, problems } = await read('/proc/self/mountinfo')
  expect(problems).toEqual([])
  expect([...found.values()].every((attributes) => attributes === undefined)).toBe(true)
})
