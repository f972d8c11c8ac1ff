/**
 * JSON for an HTTP header: all but printable ASCII is escaped.
 * @see https://www.dropbox.com/developers/reference/json-encoding
 */
export function headerJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[\u007f-\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
