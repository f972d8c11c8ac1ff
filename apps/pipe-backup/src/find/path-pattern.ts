import { UsageError } from '../usage-error.ts'

/** What `find` looks for, one character for each byte: names need not be UTF-8. */
export interface PathPattern {
  readonly wantsSource: (source: string) => boolean
  /** @param path - within a source that is wanted */
  readonly matches: (path: Uint8Array, isDirectory: boolean) => boolean
  /** All that can match is at or below this path of a source; undefined when it can be anywhere. */
  readonly below: Uint8Array | undefined
}

/**
 * A pattern as `exclude` has them: `*` and `?` stay within a name, `[a-z]` is one byte of these, `**` is any number of directories. Without a
 * slash it is the name of an entry at any depth, with one the whole path, from the source's name on, or, when it begins with a slash, the
 * path on the machine, of any source. A slash at its end means directories alone. A backslash takes the next character as it is; names
 * may be written as they are listed, `\n`, `\xff`, `\u{202e}`.
 * @throws UsageError when it can match nothing
 */
export function parsePathPattern(text: string): PathPattern {
  const directoriesAlone = text.endsWith('/')
  const parts = text.split('/')
  const components = parts.filter((part) => part !== '')
  if (components.length === 0 || components.some((part) => part === '.' || part === '..')) {
    throw new UsageError(
      `${JSON.stringify(text)} is no pattern`,
      "Give a name such as '*.json', or a path that begins with its source's name: 'wallet/**/*.json'",
    )
  }
  const anywhere = parts.length - (directoriesAlone ? 1 : 0) === 1
  const onMachine = parts[0] === ''
  const [source, within] = anywhere
    ? ['*', ['**', ...components]]
    : onMachine
      ? ['*', components]
      : [components[0] ?? '*', components.slice(1)]
  // A source itself is no entry: its name alone as a path, or with `**`, means what is in it.
  const inSource = source === '**' ? ['**', ...within] : within.length === 0 ? ['**'] : within
  const wantedSource = source === '**' ? /^/ : new RegExp(`^${compileComponent(source)}$`)
  const wantedPath = new RegExp(`^${compilePath(inSource)}$`)
  return {
    below: literalBeginning(inSource),
    wantsSource: (name) => wantedSource.test(Buffer.from(name).toString('latin1')),
    matches: (path, isDirectory) =>
      (isDirectory || !directoriesAlone) &&
      wantedPath.test(Buffer.from(path.buffer, path.byteOffset, path.length).toString('latin1')),
  }
}

function compilePath(components: readonly string[]): string {
  let pattern = ''
  for (const [i, component] of components.entries()) {
    const last = i === components.length - 1
    if (component === '**') {
      if (last) pattern += '[^]+'
      else if (components[i + 1] !== '**') pattern += '(?:[^/]+/)*'
    } else pattern += compileComponent(component) + (last ? '' : '/')
  }
  return pattern
}

/** The components before the first that stands for several names. */
function literalBeginning(components: readonly string[]): Uint8Array | undefined {
  const literal: number[][] = []
  for (const component of components) {
    const bytes: number[] = []
    for (const token of tokensOf(component)) {
      if (typeof token === 'string') return joined(literal)
      bytes.push(...token)
    }
    literal.push(bytes)
  }
  return joined(literal)
}

function joined(components: readonly (readonly number[])[]): Uint8Array | undefined {
  if (components.length === 0) return undefined
  return Uint8Array.from(components.flatMap((bytes, i) => (i === 0 ? bytes : [0x2f, ...bytes])))
}

function compileComponent(component: string): string {
  let pattern = ''
  for (const token of tokensOf(component)) {
    if (typeof token === 'string') {
      // Several in a row are as one, and far faster to try.
      if (token !== '[^/]*' || !pattern.endsWith(token)) pattern += token
    } else for (const byte of token) pattern += escaped(byte)
  }
  return pattern
}

function escaped(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, '0')}`
}

/** Bytes that stand for themselves, and regular expressions of what does not. */
function* tokensOf(component: string): Generator<readonly number[] | string> {
  for (let at = 0; at < component.length; ) {
    const rest = component.slice(at)
    const [set, negated, members] = /^\[([!^]?)(\]?(?:\\.|[^\]\\])*)\]/su.exec(rest) ?? []
    if (rest.startsWith('*')) {
      yield '[^/]*'
      at++
    } else if (rest.startsWith('?')) {
      yield '[^/]'
      at++
    } else if (set !== undefined && members !== undefined && members !== '') {
      yield compileSet(members, negated !== '')
      at += set.length
    } else {
      const { bytes, length } = literalAt(rest)
      yield bytes
      at += length
    }
  }
}

function compileSet(members: string, negated: boolean): string {
  const bytes: (number | '-')[] = []
  for (let at = 0; at < members.length; ) {
    const literal = literalAt(members.slice(at))
    if (members[at] === '-') bytes.push('-')
    else bytes.push(...literal.bytes)
    at += literal.length
  }
  let inside = ''
  for (let i = 0; i < bytes.length; i++) {
    const [first, dash, last] = bytes.slice(i, i + 3).map((byte) => (byte === '-' ? 0x2d : byte))
    if (first === undefined) break
    if (bytes[i + 1] === '-' && dash !== undefined && last !== undefined) {
      if (first <= last) inside += `${escaped(first)}-${escaped(last)}`
      i += 2
    } else inside += escaped(first)
  }
  return negated ? `[^/${inside}]` : `(?!/)[${inside}]`
}

const LISTED: Readonly<Record<string, number>> = { n: 0x0a, r: 0x0d, t: 0x09 }

/** The first character, or what an escape stands for. */
function literalAt(text: string): { readonly bytes: readonly number[]; readonly length: number } {
  const hex = /^\\x([0-9a-f]{2})/i.exec(text)
  if (hex) return { bytes: [Number.parseInt(hex[1] ?? '', 16)], length: hex[0].length }
  const codePoint = /^\\u\{([0-9a-f]{1,6})\}/i.exec(text)
  const code = Number.parseInt(codePoint?.[1] ?? '', 16)
  if (codePoint && code <= 0x10ffff)
    return { bytes: [...Buffer.from(String.fromCodePoint(code))], length: codePoint[0].length }
  if (text.startsWith('\\') && text.length > 1) {
    const { bytes, length } = plainAt(text.slice(1))
    const listed = LISTED[text[1] ?? '']
    return { bytes: listed === undefined ? bytes : [listed], length: length + 1 }
  }
  return plainAt(text)
}

function plainAt(text: string): { readonly bytes: readonly number[]; readonly length: number } {
  const character = String.fromCodePoint(text.codePointAt(0) ?? 0)
  return { bytes: [...Buffer.from(character)], length: character.length }
}
