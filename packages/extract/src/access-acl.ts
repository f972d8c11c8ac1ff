const VERSION = 2
const ENTRY_BYTES = 8
const GROUP_OBJECT = 0x04

/**
 * The mode that a file may have when its access control list could not be set. With a list the group's bits of a mode are the mask, the most that
 * any user or group of the list may have; without it they would give that to the owning group.
 * @param list - in the form of the kernel, see posix_acl_xattr.h
 */
export function modeWithout(list: Uint8Array, mode: number): number {
  return (mode & ~0o070) | (mode & (groupPermissions(list) << 3))
}

/** What the list gives the owning group; nothing where it is none. */
function groupPermissions(list: Uint8Array): number {
  const bytes = Buffer.from(list.buffer, list.byteOffset, list.length)
  if (bytes.length < 4 || bytes.readUInt32LE(0) !== VERSION) return 0
  for (let at = 4; at + ENTRY_BYTES <= bytes.length; at += ENTRY_BYTES)
    if (bytes.readUInt16LE(at) === GROUP_OBJECT) return bytes.readUInt16LE(at + 2) & 7
  return 0
}
