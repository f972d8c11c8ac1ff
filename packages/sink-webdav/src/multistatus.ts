import { XmlReader } from './xml-reader.ts'

/** A property that a server has: its text, and the names of the elements in it. */
export interface DavProperty {
  readonly text: string
  readonly elements: readonly string[]
}

/** What a multistatus says of one resource. */
export interface DavResponse {
  /** As it stands: a path or a URL, percent-encoded. */
  readonly href: string
  /** Of the resource as a whole, where there is one. */
  readonly status: number | undefined
  /** Those that were found, by Clark notation. */
  readonly properties: ReadonlyMap<string, DavProperty>
}

const DAV = '{DAV:}'
/** No property that is asked for is longer. */
const LONGEST_TEXT = 64 * 1024
const STATUS_LINE = /^HTTP\/[\d.]+\s+(\d{3})\b/

/**
 * Reads a multistatus as it comes, one resource after the other: a collection of any size takes little memory.
 * @throws SyntaxError when it is not one, or not whole
 * @see RFC 4918 section 13
 */
export async function* readMultistatus(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<DavResponse> {
  const reader = new XmlReader()
  const building = new ResponseBuilder()
  for await (const piece of bytes) {
    for (const event of reader.push(piece)) {
      if (event.type === 'open') building.open(event.name)
      else if (event.type === 'text') building.text(event.text)
      else {
        const response = building.close()
        if (response) yield response
      }
    }
  }
  reader.end()
}

class ResponseBuilder {
  readonly #path: string[] = []
  #text = ''
  #href: string | undefined
  #status: number | undefined
  #found = new Map<string, DavProperty>()
  #propstat = new Map<string, DavProperty>()
  #propstatStatus: number | undefined
  #elements: string[] = []

  open(name: string): void {
    if (this.#path.length === 0 && name !== `${DAV}multistatus`) throw new SyntaxError('it is no multistatus')
    this.#path.push(name)
    this.#text = ''
    if (this.#is('response')) {
      this.#href = undefined
      this.#status = undefined
      this.#found = new Map()
    } else if (this.#is('response', 'propstat')) {
      this.#propstat = new Map()
      this.#propstatStatus = undefined
    } else if (this.#isProperty(5)) this.#elements = []
    else if (this.#isProperty(6)) this.#elements.push(name)
  }

  text(text: string): void {
    this.#text += text
    if (this.#text.length > LONGEST_TEXT) throw new SyntaxError('a text of it does not end')
  }

  /** @returns what is whole with this */
  close(): DavResponse | undefined {
    const text = this.#text.trim()
    let whole: DavResponse | undefined
    if (this.#is('response', 'href')) this.#href ??= text
    else if (this.#is('response', 'status')) this.#status = statusOf(text)
    else if (this.#is('response', 'propstat', 'status')) this.#propstatStatus = statusOf(text)
    else if (this.#isProperty(5))
      this.#propstat.set(this.#path.at(-1) ?? '', { text, elements: this.#elements })
    else if (this.#is('response', 'propstat')) {
      const status = this.#propstatStatus ?? 200
      if (status >= 200 && status < 300)
        for (const [name, value] of this.#propstat) this.#found.set(name, value)
    } else if (this.#is('response')) {
      if (this.#href === undefined) throw new SyntaxError('a response has no href')
      whole = { href: this.#href, status: this.#status, properties: this.#found }
    }
    this.#path.pop()
    // Text around elements is none of the element's around it.
    this.#text = ''
    return whole
  }

  #is(...below: readonly string[]): boolean {
    return (
      this.#path.length === below.length + 1 && below.every((name, i) => this.#path[i + 1] === DAV + name)
    )
  }

  #isProperty(depth: number): boolean {
    const [, response, propstat, prop] = this.#path
    const inProp = response === `${DAV}response` && propstat === `${DAV}propstat` && prop === `${DAV}prop`
    return inProp && this.#path.length === depth
  }
}

function statusOf(line: string): number {
  const status = STATUS_LINE.exec(line)?.[1]
  if (status === undefined) throw new SyntaxError('a status is none')
  return Number(status)
}
