import type { DAVResultPropstatResponse, DAVResultResponse } from 'webdav'

/** A property that a server has: its text, and the local names of the elements in it. */
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

/** Of what the validator says, with what it does not like. */
const SAID_CHARACTERS = 200
const STATUS_LINE = /^\s*HTTP\/[\d.]+\s+(\d{3})\b/
const STRUCTURE = new Set(['multistatus', 'response', 'propstat', 'prop', 'status', 'href'])
const COMMENT_OR_CDATA = /<!--[^]*?-->|<!\[CDATA\[([^]*?)\]\]>/g
const PROPSTAT = /<((?:[^\s/<>:]+:)?propstat)(?:\s[^>]*)?>([^]*?)<\/\1\s*>/g
const OPENED = /<([^\s/<>!?]+)((?:[^<>"']|"[^"]*"|'[^']*')*)>/g
const DECLARED = /xmlns(?::([^\s=]+))?\s*=\s*(?:"([^"]*)"|'([^']*)')/g

/**
 * Reads a multistatus by the webdav library's `parseXML`. Ours is what that takes on trust: that the document is whole, of the namespace of
 * WebDAV, and without a type of its own; and that a resource may have several parts, of which it would take the first, found or not.
 * @throws SyntaxError when it is no multistatus, or not whole
 * @see RFC 4918 section 13
 */
export async function readMultistatus(bytes: Uint8Array): Promise<readonly DavResponse[]> {
  const [{ parseXML }, { XMLValidator }] = await Promise.all([import('webdav'), import('fast-xml-parser')])
  const document = textOf(bytes)
  // Entities of its own making come with a document type.
  if (/<!DOCTYPE/i.test(document)) throw new SyntaxError('it has a document type')
  const xml = document
    .replace(/^\uFEFF/, '')
    .replace(COMMENT_OR_CDATA, (_, text: string = '') => escaped(text))
  const valid = XMLValidator.validate(xml)
  if (valid !== true) throw new SyntaxError(valid.err.msg.replace(/\s+/g, ' ').slice(0, SAID_CHARACTERS))
  checkNamespaces(xml)
  const found = xml.replace(PROPSTAT, onlyFound)
  const { multistatus } = await parseXML(found, {
    attributeNamePrefix: '@',
    attributeParsers: [],
    // A name or a number is a text like any.
    tagParsers: [() => undefined],
    clarkNotationProps: true,
    entityDecoder: {},
  }).catch((cause: unknown) => {
    // It has limits of its own, such as of levels.
    throw new SyntaxError('it can’t be parsed', { cause })
  })
  return multistatus.response.filter((response) => Boolean(response)).map(toResponse)
}

function textOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new SyntaxError('it is no UTF-8', { cause })
  }
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

/** @throws SyntaxError where what looks like WebDAV is something else */
function checkNamespaces(xml: string): void {
  const scope = new Map<string, Set<string>>()
  const tags = [...xml.matchAll(OPENED)]
  for (const [, , attributes = ''] of tags)
    for (const [, prefix = '', double, single = ''] of attributes.matchAll(DECLARED)) {
      const names = scope.get(prefix) ?? new Set()
      scope.set(prefix, names.add(double ?? single))
    }
  const [root] = tags
  if (localName(root?.[1]) !== 'multistatus' || !/>\s*$/.test(xml))
    throw new SyntaxError('it is no multistatus')
  for (const [, tag = ''] of tags) {
    const colon = tag.indexOf(':')
    const prefix = colon === -1 ? '' : tag.slice(0, colon)
    const declared = scope.get(prefix)
    if (!declared && prefix !== '') throw new SyntaxError('a prefix is not declared')
    if (STRUCTURE.has(localName(tag)) && !declared?.has('DAV:'))
      throw new SyntaxError('it is not of the namespace of WebDAV')
  }
}

/** Leaves out a part of what was not found. */
function onlyFound(part: string): string {
  const [, line = 'HTTP/1.1 200'] = /<(?:[^\s/<>:]+:)?status(?:\s[^>]*)?>([^<]*)</.exec(part) ?? []
  const status = statusOf(line)
  return status >= 200 && status < 300 ? part : ''
}

function toResponse(response: DAVResultResponse): DavResponse {
  const { href } = response
  if (typeof href !== 'string') throw new SyntaxError('a response has no href')
  const status = 'status' in response ? statusOf(String(response.status)) : undefined
  const properties = new Map<string, DavProperty>()
  for (const [name, value] of Object.entries(propertiesOf(response))) properties.set(name, toProperty(value))
  return { href: href.trim(), status, properties }
}

function propertiesOf(response: DAVResultResponse): object {
  const { propstat } = response as Partial<DAVResultPropstatResponse>
  const prop: unknown = propstat?.prop
  return typeof prop === 'object' && prop !== null ? prop : {}
}

function toProperty(value: unknown): DavProperty {
  if (typeof value === 'string') return { text: value.trim(), elements: [] }
  if (typeof value !== 'object' || value === null) return { text: '', elements: [] }
  const names = Object.keys(value).filter((name) => name !== 'text' && !name.startsWith('@'))
  const text: unknown = 'text' in value ? value.text : ''
  return { text: String(text).trim(), elements: names.map((name) => localName(name)) }
}

function localName(tag = ''): string {
  return tag.slice(tag.indexOf(':') + 1)
}

function statusOf(line: string): number {
  const status = STATUS_LINE.exec(line)?.[1]
  if (status === undefined) throw new SyntaxError('a status is none')
  return Number(status)
}
