/** The version and the tags of a list in the kernel's form, see posix_acl_xattr.h: u32 version, then of each entry u16 tag, u16 permissions, u32 id. */
const VERSION = 2
const HEAD_BYTES = 4
const ENTRY_BYTES = 8
/** In the order in which the kernel wants them. */
const TAGS = [
  { tag: 0x01, kind: 'user', isNamed: false },
  { tag: 0x02, kind: 'user', isNamed: true },
  { tag: 0x04, kind: 'group', isNamed: false },
  { tag: 0x08, kind: 'group', isNamed: true },
  { tag: 0x10, kind: 'mask', isNamed: false },
  { tag: 0x20, kind: 'other', isNamed: false },
] as const
const NO_ID = 0xffffffff
const MAX_ENTRIES = 8191

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

/**
 * A list as GNU tar, star and bsdtar have written it, in the kernel's form. What it gives a user or group that it names without a number is
 * left out: numbers belong to this machine, and less access is the safe side.
 * @returns `undefined` when it is not understood
 */
export function textToAcl(text: string): Buffer | undefined {
  const entries: { readonly order: number; readonly id: number; readonly permissions: number }[] = []
  for (const line of text.split(/[\n,]/)) {
    const entry = line.replace(/#.*$/, '').trim()
    if (entry === '') continue
    const [kind, name, letters, number] = entry.split(':')
    if (kind === undefined || name === undefined || letters === undefined) return undefined
    const order = TAGS.findIndex((one) => one.kind === kind && one.isNamed === (name !== ''))
    if (order < 0 || !/^[r-][w-][x-]$/.test(letters)) return undefined
    const id = TAGS[order]?.isNamed ? idOf(number ?? name) : NO_ID
    const permissions = Array.from(letters).reduce((bits, letter) => bits * 2 + (letter === '-' ? 0 : 1), 0)
    if (id !== undefined) entries.push({ order, id, permissions })
  }
  if (entries.length === 0 || entries.length > MAX_ENTRIES) return undefined
  entries.sort((a, b) => a.order - b.order || a.id - b.id)
  const list = Buffer.alloc(HEAD_BYTES + entries.length * ENTRY_BYTES)
  list.writeUInt32LE(VERSION, 0)
  for (const [i, { order, id, permissions }] of entries.entries()) {
    const at = HEAD_BYTES + i * ENTRY_BYTES
    list.writeUInt16LE(TAGS[order]?.tag ?? 0, at)
    list.writeUInt16LE(permissions, at + 2)
    list.writeUInt32LE(id, at + 4)
  }
  return list
}

function idOf(text: string): number | undefined {
  const id = /^\d{1,10}$/.test(text) ? Number(text) : NO_ID
  return id < NO_ID ? id : undefined
}
