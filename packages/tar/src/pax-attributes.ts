import { ACCESS_ACL, type Attribute, DEFAULT_ACL } from '@pipe-backup/source'
import { aclToText } from './acl-text.ts'

/** What star, GNU tar and bsdtar call an extended attribute: its name follows, its value is raw bytes. */
const ATTRIBUTE_PREFIX = 'SCHILY.xattr.'

/** What star, GNU tar and bsdtar call a control list: text, which `tar --acls` and bsdtar restore. */
const ACL_KEYWORDS: ReadonlyMap<string, string> = new Map([
  ['SCHILY.acl.access', ACCESS_ACL],
  ['SCHILY.acl.default', DEFAULT_ACL],
])

/** The records of an entry's attributes. A control list comes twice: each of the readers knows one of the forms. */
export function* attributeRecords(
  attributes: readonly Attribute[],
): Generator<readonly [keyword: Buffer, value: Uint8Array]> {
  for (const { name, value } of attributes)
    yield [Buffer.concat([Buffer.from(ATTRIBUTE_PREFIX), encodeName(name)]), value]
  for (const [keyword, wanted] of ACL_KEYWORDS) {
    const list = attributes.find(({ name }) => Buffer.from(name).toString('latin1') === wanted)
    const text = list && aclToText(list.value)
    if (text !== undefined) yield [Buffer.from(keyword), Buffer.from(text)]
  }
}

/** A keyword ends at the first `=`. GNU tar writes that, and the sign it writes it with, so; bsdtar all that is not plain. */
function encodeName(name: Uint8Array): Buffer {
  const text = Buffer.from(name).toString('latin1').replaceAll('%', '%25').replaceAll('=', '%3D')
  return Buffer.from(text, 'latin1')
}
