/**
 * The text of an option file with the user and password for a client program.
 * @see https://dev.mysql.com/doc/refman/8.4/en/option-files.html
 */
export function optionFile(options: { readonly user?: string; readonly password?: string }): Buffer {
  const lines = ['[client]']
  if (options.user !== undefined) lines.push(`user=${quoted(options.user)}`)
  if (options.password !== undefined) lines.push(`password=${quoted(options.password)}`)
  return Buffer.from(`${lines.join('\n')}\n`)
}

/** In double quotes `#` begins no comment and blanks stay; a backslash escapes. */
function quoted(value: string): string {
  if (/[\0\r\n]/.test(value)) throw new TypeError('a user or password can not hold a line end')
  return `"${value.replaceAll(/[\\"]/g, '\\$&')}"`
}
