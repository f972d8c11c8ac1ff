import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import type { Attribute, Entry } from '@pipe-backup/source'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { aclToText, textToAcl } from './acl-text.ts'
import { packTar } from './pack-tar.ts'
import { unpackTar } from './unpack-tar.ts'

const plain = ({ name, value }: Attribute) => [
  Buffer.from(name).toString('latin1'),
  Buffer.from(value).toString('latin1'),
]

async function unpacked(tar: Uint8Array): Promise<string[][][]> {
  const found: string[][][] = []
  for await (const { attributes = [] } of unpackTar(Readable.from([tar]))) found.push(attributes.map(plain))
  return found
}

function directory(attributes: Attribute[]): Entry {
  const owner = { mode: 0o755, uid: 0, gid: 0, user: '', group: '', mtimeNs: 0n }
  return { type: 'directory', path: Buffer.from('d'), ...owner, attributes }
}

test('any attributes come back as they went in', async () => {
  const name = fc
    .uint8Array({ minLength: 1, maxLength: 20 })
    .map((bytes) => Buffer.concat([Buffer.from('user.'), bytes.map((byte) => byte || 0x3d)]))
  const attributes = fc
    .uniqueArray(fc.record({ name, value: fc.uint8Array() }), {
      maxLength: 4,
      selector: (one) => one.name.toString('latin1'),
    })
    .map((list) => list.toSorted((a, b) => Buffer.compare(a.name, b.name)))
  await fc.assert(
    fc.asyncProperty(attributes, async (list) => {
      expect(await unpacked(await buffer(packTar([directory(list)])))).toEqual([list.map(plain)])
    }),
  )
})

test.for([
  ['GNU tar with attributes alone', 'tar', ['--format=pax', '--xattrs', '--xattrs-include=*']],
  ['GNU tar with control lists', 'tar', ['--format=pax', '--xattrs', '--acls']],
  ['bsdtar', 'bsdtar', ['--format=pax', '--xattrs', '--acls']],
] as const)('those of an archive of %s are read', async ([, program, options]) => {
  const root = mkdtempSync(join(tmpdir(), 'tar-attributes-'))
  try {
    writeFileSync(join(root, 'f'), 'f')
    execFileSync('setfattr', ['-n', 'user.a=b%c', '-v', '0x000aff', join(root, 'f')])
    execFileSync('setfacl', ['-m', 'u:54321:rwx,g:54322:r', join(root, 'f')])
    const list = execFileSync('getfattr', [
      '--only-values',
      '--absolute-names',
      '-n',
      'system.posix_acl_access',
      join(root, 'f'),
    ])
    const tar = execFileSync(program, [...options, '-cf', '-', '-C', root, 'f'])
    expect(await unpacked(tar)).toEqual([
      [
        ['system.posix_acl_access', list.toString('latin1')],
        ['user.a=b%c', '\0\n\xff'],
      ],
    ])
  } finally {
    rmSync(root, { recursive: true })
  }
})

test('a list of text gives nothing to whom it names without a number, and is none where it is damaged', () => {
  const list = textToAcl('user::rw-\nuser:ada:rwx\ngroup::r--\nmask::rwx\nother::---')
  expect(list && aclToText(list)).toBe('user::rw-,group::r--,mask::rwx,other::---')
  for (const text of ['', 'user', 'user::rwz', 'king::rwx', 'mask:1:rwx'])
    expect(textToAcl(text)).toBeUndefined()
  for (const bytes of ['', '03000000', '0200000001', '02000000ff000700ffffffff'])
    expect(aclToText(Buffer.from(bytes, 'hex'))).toBe(undefined)
})
