const UNRESERVED = /[\w.~-]/

/** A name as a part of a URL's path: each byte that could mean something else, or is no ASCII, as %XX. */
export function encodeName(name: Uint8Array): string {
  const text = Buffer.from(name).toString('latin1')
  return text.replaceAll(/[^]/g, (byte) =>
    UNRESERVED.test(byte) ? byte : `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  )
}

/**
 * The names in a request's path, as raw bytes; a slash at its end does not matter.
 * @param target - of the request: a path, or a URL, with or without a query
 * @returns undefined for what can be no path of a file system
 */
export function parseTarget(target: string): readonly Uint8Array[] | undefined {
  const path = target.replace(/^http:\/\/[^/?#]*/i, '').replace(/[?#].*$/s, '')
  if (!path.startsWith('/') && path !== '') return undefined
  const names = path
    .split('/')
    .filter((part) => part !== '')
    .map(decodeName)
  return names.every((name) => name !== undefined) ? names : undefined
}

function decodeName(part: string): Uint8Array | undefined {
  if (/%(?![0-9a-f]{2})/i.test(part)) return undefined
  const bytes = part.replaceAll(/%(..)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  const isName = bytes !== '.' && bytes !== '..' && !/[/\0]/.test(bytes)
  // What was sent as it is, is UTF-8 that Node has taken for Latin-1.
  return isName ? Buffer.from(bytes, 'latin1') : undefined
}

/** Text of XML or HTML: what neither can hold becomes U+FFFD. */
export function markupText(text: string): string {
  return text
    .replaceAll(/[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu, '\u{FFFD}')
    .replaceAll(/[&<>"'\t\n\r]/g, (character) => `&#${character.charCodeAt(0)};`)
}

/** A date as HTTP has it; undefined for one that it can't have. */
export function httpDate(date: Date): string | undefined {
  const year = date.getUTCFullYear()
  return year >= 1 && year <= 9999 ? date.toUTCString() : undefined
}
