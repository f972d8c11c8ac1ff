/** A piece of an XML document. Names are in Clark notation: `{namespace}local`. */
export type XmlEvent =
  | { readonly type: 'open'; readonly name: string }
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'close'; readonly name: string }

/** No tag and no text is longer: a server that never ends one must not fill memory. */
const LONGEST_TOKEN = 256 * 1024
const DEEPEST = 64
const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }
const TAG = /^([^\s/<>="']+)((?:\s+[^\s/<>="']+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*)\s*(\/?)$/
const ATTRIBUTE = /([^\s/<>="']+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g
const XML = 'http://www.w3.org/XML/1998/namespace'

/**
 * Reads XML as it comes: UTF-8, with namespaces. Document types are refused, and with them entities of their own making.
 * @see https://www.w3.org/TR/xml/, https://www.w3.org/TR/xml-names/
 */
export class XmlReader {
  readonly #decoder = new TextDecoder('utf-8', { fatal: true })
  readonly #open: {
    readonly name: string
    readonly tag: string
    readonly scope: ReadonlyMap<string, string>
  }[] = []
  #rest = ''
  #seen = false

  /** @throws SyntaxError when the document is not whole */
  end(): void {
    this.#decoder.decode()
    if (!this.#seen || this.#open.length > 0 || this.#rest.trim() !== '')
      throw new SyntaxError('it ends in the middle')
  }

  /** @throws SyntaxError for what is no XML, TypeError for what is no UTF-8 */
  *push(bytes: Uint8Array): Generator<XmlEvent, void> {
    yield* this.#read(this.#decoder.decode(bytes, { stream: true }))
  }

  *#read(more: string): Generator<XmlEvent, void> {
    const text = this.#rest + more
    let at = 0
    for (;;) {
      const tagAt = text.indexOf('<', at)
      if (tagAt === -1) break
      const end = endOfMarkup(text, tagAt)
      if (end === undefined) break
      if (tagAt > at) yield* this.#text(decode(text.slice(at, tagAt)))
      yield* this.#markup(text.slice(tagAt, end))
      at = end
    }
    this.#rest = text.slice(at)
    if (this.#rest.length > LONGEST_TOKEN) throw new SyntaxError('a part of it does not end')
  }

  *#markup(markup: string): Generator<XmlEvent, void> {
    if (markup.startsWith('<!--') || markup.startsWith('<?')) return
    if (markup.startsWith('<![CDATA[')) return yield* this.#text(markup.slice(9, -3))
    if (markup.startsWith('<!')) throw new SyntaxError('it has a document type')
    if (markup.startsWith('</')) {
      const tag = markup.slice(2, -1).trim()
      const closed = this.#open.pop()
      if (closed?.tag !== tag) throw new SyntaxError('a tag closes none that is open')
      yield { type: 'close', name: closed.name }
      return
    }
    const [, tag = '', attributes = '', empty] = TAG.exec(markup.slice(1, -1)) ?? []
    if (tag === '' || this.#open.length >= DEEPEST || (this.#open.length === 0 && this.#seen)) {
      throw new SyntaxError('a tag is not one')
    }
    this.#seen = true
    const scope = scopeOf(attributes, this.#open.at(-1)?.scope)
    const name = clark(tag, scope)
    yield { type: 'open', name }
    if (empty === '/') yield { type: 'close', name }
    else this.#open.push({ name, tag, scope })
  }

  *#text(text: string): Generator<XmlEvent, void> {
    if (this.#open.length > 0) yield { type: 'text', text }
    else if (text.trim() !== '') throw new SyntaxError('there is text outside of it')
  }
}

/** @returns the index after a tag, comment or instruction that begins at `from`; undefined when it does not end here */
function endOfMarkup(text: string, from: number): number | undefined {
  const closing = (end: string, after: number) => {
    const at = text.indexOf(end, from + after)
    return at === -1 ? undefined : at + end.length
  }
  if (text.startsWith('<!--', from)) return closing('-->', 4)
  if (text.startsWith('<![CDATA[', from)) return closing(']]>', 9)
  if (text.startsWith('<?', from)) return closing('?>', 2)
  // What begins like one of those, and is cut short: more will tell.
  if ('<![CDATA['.startsWith(text.slice(from)) || '<!--'.startsWith(text.slice(from))) return undefined
  for (let at = from, quote = ''; at < text.length; at++) {
    const character = text[at]
    if (quote !== '') quote = character === quote ? '' : quote
    else if (character === '"' || character === "'") quote = character
    else if (character === '>') return at + 1
  }
  return undefined
}

function scopeOf(
  attributes: string,
  outer: ReadonlyMap<string, string> = new Map([['xml', XML]]),
): ReadonlyMap<string, string> {
  if (!attributes.includes('xmlns')) return outer
  const scope = new Map(outer)
  for (const [, name = '', double, single = ''] of attributes.matchAll(ATTRIBUTE)) {
    const value = decode(double ?? single)
    if (name === 'xmlns') scope.set('', value)
    else if (name.startsWith('xmlns:')) scope.set(name.slice(6), value)
  }
  return scope
}

function clark(tag: string, scope: ReadonlyMap<string, string>): string {
  const colon = tag.indexOf(':')
  const prefix = colon === -1 ? '' : tag.slice(0, colon)
  const namespace = scope.get(prefix)
  if (namespace === undefined && prefix !== '') throw new SyntaxError('a prefix is not declared')
  return namespace ? `{${namespace}}${tag.slice(colon + 1)}` : tag
}

function decode(text: string): string {
  if (!text.includes('&')) return text
  return text.replace(/&([^;&\s]{0,12})(;?)/g, (_, name: string, end: string) => {
    const value = end === ';' ? entity(name) : undefined
    if (value === undefined) throw new SyntaxError('an entity is not known')
    return value
  })
}

function entity(name: string): string | undefined {
  const [, hex, decimal] = /^#(?:x([0-9a-fA-F]+)|([0-9]+))$/.exec(name) ?? []
  if (hex === undefined && decimal === undefined) return ENTITIES[name]
  const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16)
  return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : undefined
}
