import {
  findNodeAtLocation,
  getNodeValue,
  type Node,
  type ParseError,
  parseTree,
  printParseErrorCode,
} from 'jsonc-parser'
import { type ConfigDocument, type ConfigPath, describePath, type Position } from './config-document.ts'
import { ConfigError, type ConfigProblem } from './config-error.ts'

/**
 * Parses JSON, with comments and commas before a closing bracket.
 * @throws ConfigError `unreadable` with every mistake and its place
 */
export function parseJson(source: string, file: string): ConfigDocument {
  try {
    return parse(source, file)
  } catch (cause) {
    // The parser calls itself for each level.
    if (!(cause instanceof RangeError)) throw cause
    throw new ConfigError({ code: 'unreadable', message: 'not JSON: too many levels', file }, { cause })
  }
}

function parse(source: string, file: string): ConfigDocument {
  const place = (offset: number): Position => {
    const before = source.slice(0, offset).split('\n')
    return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 }
  }
  const errors: ParseError[] = []
  const root = parseTree(source, errors, { allowTrailingComma: true })
  const problems = errors.map(
    ({ error, offset }): ConfigProblem => ({
      code: 'unreadable',
      message: `not JSON: ${toWords(printParseErrorCode(error))}`,
      file,
      ...place(offset),
    }),
  )
  if (root !== undefined) {
    for (const { offset, key } of repeatedKeys(root)) {
      problems.push({
        code: 'unreadable',
        message: `${JSON.stringify(key)} is given twice`,
        file,
        ...place(offset),
      })
    }
  }
  const [first, ...more] = problems
  if (first !== undefined) throw new ConfigError(first, { more })
  if (root === undefined) throw new ConfigError({ code: 'unreadable', message: 'the file is empty', file })

  const locate = (path: ConfigPath, at: 'key' | 'value'): Position => {
    for (let length = path.length; length > 0; length--) {
      const steps = path.slice(0, length).map((step) => (typeof step === 'number' ? step : String(step)))
      const node = findNodeAtLocation(root, steps)
      if (node === undefined) continue
      const property = node.parent?.type === 'property' ? node.parent : node
      return place((at === 'key' && length === path.length ? property : node).offset)
    }
    return place(root.offset)
  }
  const value: unknown = getNodeValue(root)
  return { value, locate, describe: describePath }
}

/** `PropertyNameExpected` as words. */
function toWords(code: string): string {
  return code.replaceAll(/(?<=.)[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`).toLowerCase()
}

function* repeatedKeys(node: Node): Generator<{ offset: number; key: string }> {
  const seen = new Set<string>()
  for (const child of node.children ?? []) {
    const key: unknown = node.type === 'object' ? child.children?.[0]?.value : undefined
    if (typeof key === 'string') {
      if (seen.has(key)) yield { offset: child.offset, key }
      seen.add(key)
    }
    yield* repeatedKeys(child)
  }
}
