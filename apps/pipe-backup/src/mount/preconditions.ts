import type { IncomingHttpHeaders } from 'node:http'

/** What a file is compared with. */
interface Validators {
  readonly etag: string
  readonly modified: Date
}

/** What the conditions of a request make of it (RFC 9110, section 13.2.2): the status it ends with, or undefined to go on. */
export function checkConditions(
  headers: IncomingHttpHeaders,
  { etag, modified }: Validators,
): 304 | 412 | undefined {
  const { 'if-match': match, 'if-none-match': noneMatch } = headers
  const unmodified = Date.parse(headers['if-unmodified-since'] ?? '')
  if (match === undefined ? secondsOf(modified) * 1000 > unmodified : !lists(match, etag)) return 412
  if (noneMatch !== undefined) return lists(noneMatch.replaceAll(/\bW\//g, ''), etag) ? 304 : undefined
  return secondsOf(modified) * 1000 <= Date.parse(headers['if-modified-since'] ?? '') ? 304 : undefined
}

/** Whether a range is still one of the file that the client has a part of: by If-Range, where it says. */
export function isSameFile(headers: IncomingHttpHeaders, { etag, modified }: Validators): boolean {
  const condition = headers['if-range']
  return (
    condition === undefined ||
    condition === etag ||
    Date.parse(String(condition)) === secondsOf(modified) * 1000
  )
}

function lists(header: string, etag: string): boolean {
  return header.split(',').some((one) => ['*', etag].includes(one.trim()))
}

/** As precise as a date of HTTP is. */
function secondsOf(date: Date): number {
  return Math.floor(date.getTime() / 1000)
}
