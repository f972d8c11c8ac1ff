import { buffer } from 'node:stream/consumers'
import type { Attribute, Entry } from '@pipe-backup/source'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { aclToText } from './acl-text.ts'
import { packTar } from './pack-tar.ts'

function directory(attributes: Attribute[]): Entry {
  const owner = { mode: 0o755, uid: 0, gid: 0, user: '', group: '', mtimeNs: 0n }
  return { type: 'directory', path: Buffer.from('d'), ...owner, attributes }
}

/** The records of the pax header that an archive begins with, keyword and value, one character for each byte. */
function firstRecords(tar: Buffer): [string, string][] {
  expect(tar.toString('latin1', 156, 157)).toBe('x')
  let rest = tar.toString('latin1', 512, 512 + Number.parseInt(tar.toString('latin1', 124, 135), 8))
  const records: [string, string][] = []
  while (rest !== '') {
    const length = Number.parseInt(rest, 10)
    const [, keyword = '', value = ''] = /^\d+ ([^=]+)=(.*)\n$/s.exec(rest.slice(0, length)) ?? []
    records.push([keyword, value])
    rest = rest.slice(length)
  }
  return records
}

test('any attributes are records of their raw bytes', async () => {
  const name = fc
    .uint8Array({ minLength: 1, maxLength: 20 })
    .map((bytes) => Buffer.concat([Buffer.from('user.'), bytes.map((byte) => byte || 0x3d)]))
  const attributes = fc.uniqueArray(fc.record({ name, value: fc.uint8Array() }), {
    maxLength: 4,
    selector: (one) => one.name.toString('latin1'),
  })
  await fc.assert(
    fc.asyncProperty(attributes, async (list) => {
      const records = firstRecords(await buffer(packTar([directory(list)])))
      const found = records.flatMap(([keyword, value]) => {
        const encoded = keyword.split(/^SCHILY\.xattr\./)[1]
        return encoded === undefined ? [] : [[encoded.replaceAll('%3D', '=').replaceAll('%25', '%'), value]]
      })
      expect(found).toEqual(
        list.map(({ name, value }) => [name.toString('latin1'), Buffer.from(value).toString('latin1')]),
      )
    }),
  )
})

test("a control list that is none in the kernel's form is no text", () => {
  for (const bytes of ['', '03000000', '0200000001', '02000000ff000700ffffffff'])
    expect(aclToText(Buffer.from(bytes, 'hex'))).toBe(undefined)
  const list = '02000000' + '01000600ffffffff' + '0200070031d40000' + '04000400ffffffff' + '20000000ffffffff'
  expect(aclToText(Buffer.from(list, 'hex'))).toBe('user::rw-,user:54321:rwx:54321,group::r--,other::---')
})
