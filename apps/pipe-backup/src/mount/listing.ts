import { encodeName, httpDate, markupText } from './url-path.ts'
import type { ViewDirectory, ViewNode } from './view.ts'

/** Of the text of a list, what is written at once. */
const PIECE_CHARACTERS = 32 * 1024

/** The answer to a PROPFIND (RFC 4918). @param href - the node's own, ending with a slash for a directory */
export async function* multistatus(href: string, node: ViewNode, depth: 0 | 1): AsyncGenerator<string> {
  async function* parts(): AsyncGenerator<string> {
    yield '<?xml version="1.0" encoding="utf-8"?>\n<D:multistatus xmlns:D="DAV:">\n'
    yield response(href, node)
    if (depth === 1 && node.type === 'directory')
      for await (const child of node.children()) yield response(hrefBelow(href, child), child)
    yield '</D:multistatus>\n'
  }
  yield* inPieces(parts())
}

/** A page for browsers. */
export async function* indexPage(href: string, directory: ViewDirectory): AsyncGenerator<string> {
  async function* parts(): AsyncGenerator<string> {
    const title = markupText(decodeURIComponentLoosely(href))
    yield `<!doctype html>\n<meta charset="utf-8">\n<title>${title}</title>\n<h1>${title}</h1>\n<table>\n`
    if (href !== '/') yield `<tr><td><a href="${href.replace(/[^/]*\/$/, '')}">..</a></td></tr>\n`
    for await (const child of directory.children()) {
      const name = `${markupText(Buffer.from(child.name).toString())}${child.type === 'directory' ? '/' : ''}`
      const size = child.type === 'file' ? String(child.size) : ''
      const link = `<a href="${hrefBelow(href, child)}">${name}</a>`
      yield `<tr><td>${link}</td><td align="right">${size}</td><td>${httpDate(child.modified) ?? ''}</td></tr>\n`
    }
    yield '</table>\n'
  }
  yield* inPieces(parts())
}

export function etagOf({ contentId }: { readonly contentId: string }): string {
  return `"${contentId}"`
}

function hrefBelow(href: string, { name, type }: ViewNode): string {
  return `${href}${encodeName(name)}${type === 'directory' ? '/' : ''}`
}

function response(href: string, node: ViewNode): string {
  const date = httpDate(node.modified)
  const properties = [
    `<D:displayname>${markupText(Buffer.from(node.name).toString())}</D:displayname>`,
    ...(date === undefined ? [] : [`<D:getlastmodified>${date}</D:getlastmodified>`]),
    ...(node.type === 'directory'
      ? ['<D:resourcetype><D:collection/></D:resourcetype>']
      : [
          '<D:resourcetype/>',
          `<D:getcontentlength>${node.size}</D:getcontentlength>`,
          '<D:getcontenttype>application/octet-stream</D:getcontenttype>',
          `<D:getetag>${etagOf(node)}</D:getetag>`,
        ]),
  ]
  const found = `<D:prop>${properties.join('')}</D:prop><D:status>HTTP/1.1 200 OK</D:status>`
  return `<D:response><D:href>${href}</D:href><D:propstat>${found}</D:propstat></D:response>\n`
}

function decodeURIComponentLoosely(href: string): string {
  const bytes = href.replaceAll(/%(..)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  return Buffer.from(bytes, 'latin1').toString()
}

async function* inPieces(parts: AsyncIterable<string>): AsyncGenerator<string> {
  let piece = ''
  for await (const part of parts) {
    piece += part
    if (piece.length < PIECE_CHARACTERS) continue
    yield piece
    piece = ''
  }
  yield piece
}
