import { isAlias, isMap, isNode, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml'
import { type ConfigDocument, type ConfigPath, describePath, type Position } from './config-document.ts'
import { ConfigError, type ConfigProblem } from './config-error.ts'

/**
 * Parses YAML 1.2, with merge keys.
 * @throws ConfigError `unreadable` with every mistake and its place
 */
export function parseYaml(source: string, file: string): ConfigDocument {
  const lines = new LineCounter()
  // Pretty errors quote the line, which may hold a password.
  const document = parseDocument(source, { lineCounter: lines, prettyErrors: false, merge: true })
  const place = (offset: number): Position => {
    const { line, col } = lines.linePos(offset)
    return { line, column: col }
  }
  const [first, ...more] = [...document.errors, ...document.warnings].map(
    ({ pos, message }): ConfigProblem => ({
      code: 'unreadable',
      message: unquoted(source, pos[0]) ?? message,
      file,
      ...place(pos[0]),
    }),
  )
  if (first !== undefined) throw new ConfigError(first, { more })

  const locate = (path: ConfigPath, at: 'key' | 'value'): Position | undefined => {
    let node: unknown = document.contents
    let start = isNode(node) ? node.range?.[0] : undefined
    for (const [depth, step] of path.entries()) {
      if (isAlias(node)) node = node.resolve(document)
      const [key, value] = child(node, step)
      if (value === undefined && key === undefined) break
      const wanted = depth === path.length - 1 && at === 'key' ? (key ?? value) : (value ?? key)
      start = wanted?.range?.[0] ?? start
      node = value
    }
    return start === undefined ? undefined : place(start)
  }
  try {
    return {
      value: document.toJS(),
      locate,
      commentAfter: (path) => {
        const node: unknown = document.getIn(path, true)
        return isScalar(node) && node.type === 'PLAIN' ? (node.comment ?? undefined) : undefined
      },
      describe: describePath,
    }
  } catch (cause) {
    // Aliases that multiply without end are refused here.
    const message = cause instanceof Error ? cause.message : String(cause)
    throw new ConfigError({ code: 'unreadable', message, file }, { cause })
  }
}

/** What a person should do about a text that YAML takes for something else, such as the time `* * * * *`. */
function unquoted(source: string, offset: number): string | undefined {
  const line = source.slice(source.lastIndexOf('\n', offset - 1) + 1).split('\n', 1)[0] ?? ''
  const [, key, mark] = /^[\s-]*([\w.-]+):\s+([*&!@`%])/.exec(line) ?? []
  return mark === undefined
    ? undefined
    : `a text that begins with ${mark} means something else in YAML: put what is behind "${key}:" in quotes`
}

function child(node: unknown, step: PropertyKey): [key: Node | undefined, value: Node | undefined] {
  if (isMap(node)) {
    const pair = node.items.find(({ key }) => (isScalar(key) ? String(key.value) : key) === String(step))
    return [isNode(pair?.key) ? pair.key : undefined, isNode(pair?.value) ? pair.value : undefined]
  }
  const item = isSeq(node) && typeof step === 'number' ? node.items[step] : undefined
  return [undefined, isNode(item) ? item : undefined]
}
