/** The version and the tags of a list in the kernel's form, see posix_acl_xattr.h: u32 version, then of each entry u16 tag, u16 permissions, u32 id. */
const VERSION = 2
const HEAD_BYTES = 4
const ENTRY_BYTES = 8
const TAGS = [
  { tag: 0x01, kind: 'user', isNamed: false },
  { tag: 0x02, kind: 'user', isNamed: true },
  { tag: 0x04, kind: 'group', isNamed: false },
  { tag: 0x08, kind: 'group', isNamed: true },
  { tag: 0x10, kind: 'mask', isNamed: false },
  { tag: 0x20, kind: 'other', isNamed: false },
] as const

/**
 * An access control list as text, as GNU tar and bsdtar restore it: `user::rw-,user:1000:r--:1000,…`.
 * @param list - in the kernel's form
 * @returns `undefined` when it is not a list of that form
 */
export function aclToText(list: Uint8Array): string | undefined {
  const bytes = Buffer.from(list.buffer, list.byteOffset, list.length)
  if (bytes.length < HEAD_BYTES || (bytes.length - HEAD_BYTES) % ENTRY_BYTES !== 0) return undefined
  if (bytes.readUInt32LE(0) !== VERSION) return undefined
  const entries: string[] = []
  for (let at = HEAD_BYTES; at < bytes.length; at += ENTRY_BYTES) {
    const found = TAGS.find(({ tag }) => tag === bytes.readUInt16LE(at))
    if (!found) return undefined
    const permissions = bytes.readUInt16LE(at + 2)
    const text = ['r', 'w', 'x'].map((letter, i) => ((permissions >> (2 - i)) & 1 ? letter : '-')).join('')
    const id = found.isNamed ? String(bytes.readUInt32LE(at + 4)) : ''
    entries.push(`${found.kind}:${id}:${text}${found.isNamed ? `:${id}` : ''}`)
  }
  return entries.join(',')
}
