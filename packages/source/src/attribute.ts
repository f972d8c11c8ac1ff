/** An extended attribute. A POSIX access control list and a file capability are attributes too. */
export interface Attribute {
  /** With its namespace, as in `user.comment`: raw bytes without a NUL, 1 to 255 of them. */
  readonly name: Uint8Array
  /** At most 64 KiB. */
  readonly value: Uint8Array
}

/** XATTR_NAME_MAX and XATTR_SIZE_MAX of Linux (limits.h), which no file system there goes beyond. */
const MAX_ATTRIBUTE_NAME_BYTES = 255
const MAX_ATTRIBUTE_VALUE_BYTES: number = 64 * 1024
/** Of one entry. Linux has no limit of its own but 64 KiB for the list of names; ext4 holds 4 KiB in all. */
const MAX_ATTRIBUTES = 4096
/** Names and values of one entry together: they must fit into one node of a manifest and one header of a tar. */
const MAX_ATTRIBUTES_BYTES: number = 512 * 1024

/** The access control list, in the kernel's own form (posix_acl_xattr.h). */
export const ACCESS_ACL = 'system.posix_acl_access'
/** What is made in a directory gets this list. */
export const DEFAULT_ACL = 'system.posix_acl_default'
/** What a program may do beyond its user. */
export const CAPABILITY = 'security.capability'

/**
 * Whether an attribute is read and restored: `user.*`, `trusted.*`, POSIX access control lists, file capabilities. Others say
 * something of the machine, not of the file: labels that its policy gives (`security.selinux`, `security.SMACK64`,
 * `security.apparmor`), signatures made with its key or over its inode numbers (`security.ima`, `security.evm`), and views of what
 * the file server keeps (`system.nfs4_acl`, `system.cifs_acl`), which each listing has and which can't be set elsewhere.
 */
export function isKeptAttribute(name: string): boolean {
  return (
    name.startsWith('user.') ||
    name.startsWith('trusted.') ||
    name === ACCESS_ACL ||
    name === DEFAULT_ACL ||
    name === CAPABILITY
  )
}

/** Sorts by the bytes of their names. */
export function sortAttributes(attributes: readonly Attribute[]): readonly Attribute[] {
  return attributes.toSorted((a, b) => Buffer.compare(a.name, b.name))
}

/**
 * What is wrong with the attributes of an entry, in words: more or larger ones than there can be, a name that can't be, names out
 * of order or twice. `undefined` when nothing is.
 */
export function attributesFlaw(attributes: readonly Attribute[]): string | undefined {
  if (attributes.length > MAX_ATTRIBUTES) return `more than ${MAX_ATTRIBUTES} extended attributes`
  let bytes = 0
  let previous: Uint8Array | undefined
  for (const { name, value } of attributes) {
    if (name.length === 0 || name.length > MAX_ATTRIBUTE_NAME_BYTES || name.includes(0))
      return 'an extended attribute whose name can not be'
    if (value.length > MAX_ATTRIBUTE_VALUE_BYTES) return 'an extended attribute of more than 64 KiB'
    if (previous && Buffer.compare(previous, name) >= 0)
      return 'extended attributes that are not in order, each once'
    bytes += name.length + value.length
    previous = name
  }
  return bytes > MAX_ATTRIBUTES_BYTES ? 'extended attributes of more than 512 KiB' : undefined
}
