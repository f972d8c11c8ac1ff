import { decodeUtf8 } from '../terminal/escape-bytes.ts'

const SLASH = 0x2f
/** What can't be in a name everywhere: controls, and the backslash, which other systems take for a slash. */
const UNSAFE = /[\p{Cc}\\]/gu

/**
 * A path as a zip has it: UTF-8. Bytes that are none, controls and backslashes become `%E9`, `%0A`, `%5C`, and a percent sign that two hexadecimal
 * digits follow becomes `%25`, so that no two paths get the same name.
 */
export function zipNameOf(path: Uint8Array): string {
  const text = decodeUtf8(path)
  if (text !== undefined) return safe(text)
  let name = ''
  // By components: of a path with one odd name the others stay readable.
  for (const [index, component] of componentsOf(path).entries()) {
    if (index > 0) name += '/'
    const known = decodeUtf8(component)
    name += known === undefined ? bytewise(component) : safe(known)
  }
  return name
}

function safe(text: string): string {
  return text
    .replaceAll(/%(?=[0-9a-f]{2})/gi, '%25')
    .replaceAll(UNSAFE, (character) => [...Buffer.from(character)].map(percent).join(''))
}

/** A name that is no UTF-8: all that is not ASCII is written by its bytes. */
function bytewise(component: Uint8Array): string {
  let name = ''
  let ascii = ''
  for (const byte of component) {
    if (byte < 0x80) ascii += String.fromCharCode(byte)
    else {
      name += safe(ascii) + percent(byte)
      ascii = ''
    }
  }
  return name + safe(ascii)
}

function percent(byte: number): string {
  return `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
}

function componentsOf(path: Uint8Array): Uint8Array[] {
  const components: Uint8Array[] = []
  let from = 0
  for (let at = path.indexOf(SLASH); at !== -1; at = path.indexOf(SLASH, from)) {
    components.push(path.subarray(from, at))
    from = at + 1
  }
  return [...components, path.subarray(from)]
}
