const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The text of these bytes, or `undefined` where they are no UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return strict.decode(bytes)
  } catch {
    return undefined
  }
}

/**
 * A name as a terminal can safely show it, in one line: controls, invisible and direction-changing characters and bytes
 * that are no UTF-8 become `\n`, `\x1b`, `\u{202e}`, `\xff`; a backslash becomes two, so that no two names look the same.
 */
export function escapeBytes(bytes: Uint8Array): string {
  const text = decodeUtf8(bytes)
  if (text !== undefined) return escapeText(text)
  let shown = ''
  for (let at = 0; at < bytes.length; ) {
    const length = sequenceLength(bytes, at)
    const character = length === 0 ? undefined : decodeUtf8(bytes.subarray(at, at + length))
    shown += character === undefined ? hexByte(bytes[at] ?? 0) : escapeText(character)
    at += character === undefined ? 1 : length
  }
  return shown
}

/** Text as a terminal can safely show it: see `escapeBytes`. */
export function escapeText(text: string): string {
  return escapeControls(text.replaceAll('\\', '\\\\'))
}

/** A message as a terminal can safely show it, in one line. What it quotes can be read, but two quotes may look the same. */
export function escapeControls(text: string): string {
  return text.replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, (character) => {
    const code = character.codePointAt(0) ?? 0
    const short = SHORT[character]
    if (short !== undefined) return short
    return code < 0x80 ? hexByte(code) : `\\u{${code.toString(16)}}`
  })
}

const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

function hexByte(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, '0')}`
}

/** How long a UTF-8 sequence that starts here would be; 0 when none can. */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const lead = bytes[at] ?? 0
  const length = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0
  return at + length <= bytes.length ? length : 0
}
