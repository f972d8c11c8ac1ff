import {
  ACCESS_ACL,
  type Attribute,
  attributesFlaw,
  DEFAULT_ACL,
  isKeptAttribute,
  sortAttributes,
} from '@pipe-backup/source'
import { aclToText, textToAcl } from './acl-text.ts'
import { ATTRIBUTE_PREFIX, type PaxRecords } from './pax-records.ts'
import { TarError } from './tar-error.ts'

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

function decodeName(encoded: string): Buffer {
  const text = encoded.replaceAll(/%([0-9A-Fa-f]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  )
  return Buffer.from(text, 'latin1')
}

/**
 * The attributes that records give an entry: of those that are restored, as macOS and others put many more in theirs, and larger ones.
 * @throws TarError `corrupt`
 */
export function attributesOf(records: PaxRecords | undefined): readonly Attribute[] | undefined {
  if (records === undefined) return undefined
  const found = new Map<string, Attribute>()
  const add = (name: Buffer, value: Uint8Array) => found.set(name.toString('latin1'), { name, value })
  for (const [keyword, wanted] of ACL_KEYWORDS) {
    const text = records.values.get(keyword)
    const list = text && textToAcl(Buffer.from(text).toString())
    if (list) add(Buffer.from(wanted), list)
  }
  // After the texts: where both are there, what was read from the file is believed.
  for (const [keyword, value] of records.attributes) {
    const name = decodeName(keyword)
    if (isKeptAttribute(name.toString('latin1'))) add(name, value)
  }
  if (found.size === 0) return undefined
  const attributes = sortAttributes([...found.values()])
  const flaw = attributesFlaw(attributes)
  if (flaw !== undefined) throw new TarError('corrupt', `an entry has ${flaw}`)
  return attributes
}
