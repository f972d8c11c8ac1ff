const SLASH = 0x2f

/** The bytes of a path, as the program gives it. */
function bytesOf(path: string): Uint8Array {
  const text = atob(path.replaceAll('-', '+').replaceAll('_', '/'))
  return Uint8Array.from(text, (character) => character.charCodeAt(0))
}

export function pathOf(bytes: Uint8Array): string {
  const text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join('')
  return btoa(text).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

/** Each directory on the way to a path, and the path itself: what it is called, and where it is. */
export function stepsOf(path: string): readonly { readonly name: string; readonly path: string }[] {
  const bytes = bytesOf(path)
  const ends = [...bytes.keys()].filter((at) => bytes[at] === SLASH)
  let begin = 0
  return [...ends, bytes.length].map((end) => {
    // Invisible characters, and those that turn the direction of writing, could make one name look like another.
    const name = new TextDecoder()
      .decode(bytes.subarray(begin, end))
      .replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, '\uFFFD')
    begin = end + 1
    return { name, path: pathOf(bytes.subarray(0, end)) }
  })
}
