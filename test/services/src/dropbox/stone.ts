/**
 * Checks arguments against their definition in the API's specification (https://github.com/dropbox/dropbox-api-spec), and says
 * what is wrong with them in the words of Dropbox's own validators (https://github.com/dropbox/stone).
 */
export class BadArgument extends Error {
  constructor(at: string, what: string) {
    super(at === '' ? what : `${at}: ${what}`)
  }
}

/** Gives the value when it is one of the type. @throws BadArgument */
export type Check<T> = (value: unknown, at: string) => T

interface Field<T> {
  readonly check: Check<T>
  /** What it is when it is left out; a field without is required. */
  readonly fallback?: { readonly value: T }
}

type Fields<S> = { readonly [K in keyof S]: S[K] extends Field<infer T> ? T : never }

export const PATTERNS = {
  path: '(/(.|[\\r\\n])*)|(ns:[0-9]+(/(.|[\\r\\n])*)?)|(id:.*)',
  pathOrRoot: '(/(.|[\\r\\n])*)?|id:.*|(ns:[0-9]+(/(.|[\\r\\n])*)?)',
  readPath: '(/(.|[\\r\\n])*|id:.*)|(rev:[0-9a-f]{9,})|(ns:[0-9]+(/(.|[\\r\\n])*)?)',
  rev: '[0-9a-f]+',
}

export function required<T>(check: Check<T>): Field<T> {
  return { check }
}

/** May be left out, or null. */
export function optional<T>(check: Check<T>): Field<T | undefined> {
  return {
    check: (value, at) => (value === null ? undefined : check(value, at)),
    fallback: { value: undefined },
  }
}

export function withDefault<T>(check: Check<T>, value: T): Field<T> {
  return { check, fallback: { value } }
}

export function string({
  pattern,
  min = 0,
  max = Number.POSITIVE_INFINITY,
}: StringRules = {}): Check<string> {
  const whole = pattern === undefined ? undefined : new RegExp(`^(?:${pattern})$`)
  return (value, at) => {
    if (typeof value !== 'string') throw new BadArgument(at, `expected string, got ${typeName(value)}`)
    if (value.length < min) {
      throw new BadArgument(at, `'${value}' must be at least ${min} characters, got ${value.length}`)
    }
    if (value.length > max) {
      throw new BadArgument(at, `'${value}' must be at most ${max} characters, got ${value.length}`)
    }
    if (whole && !whole.test(value))
      throw new BadArgument(at, `'${value}' did not match pattern '${pattern}'`)
    return value
  }
}

interface StringRules {
  readonly pattern?: string
  readonly min?: number
  readonly max?: number
}

export const boolean: Check<boolean> = (value, at) => {
  if (typeof value !== 'boolean') throw new BadArgument(at, `expected boolean, got ${typeName(value)}`)
  return value
}

/** Of routes without an argument. */
export const nothing: Check<null> = (value, at) => {
  if (value !== null) throw new BadArgument(at, 'expected null')
  return null
}

export function integer(min = 0, max: number = Number.MAX_SAFE_INTEGER): Check<number> {
  return (value, at) => {
    if (typeof value !== 'number' || !Number.isInteger(value))
      throw new BadArgument(at, `expected integer, got ${typeName(value)}`)
    if (value < min || value > max) throw new BadArgument(at, `${value} is not within range [${min}, ${max}]`)
    return value
  }
}

export function list<T>(check: Check<T>, most: number): Check<readonly T[]> {
  return (value, at) => {
    if (!Array.isArray(value)) throw new BadArgument(at, `expected list, got ${typeName(value)}`)
    if (value.length > most) throw new BadArgument(at, `list has more than ${most} items`)
    return value.map((item, i) => check(item, `${at}[${i}]`))
  }
}

export function struct<S extends Record<string, Field<unknown>>>(fields: S): Check<Fields<S>> {
  return (value, at) => {
    if (!isObject(value)) throw new BadArgument(at, `expected object, got ${typeName(value)}`)
    const below = (name: string) => (at === '' ? name : `${at}.${name}`)
    for (const name of Object.keys(value)) {
      if (!Object.hasOwn(fields, name)) throw new BadArgument(at, `unknown field '${name}'`)
    }
    const checked: Record<string, unknown> = {}
    for (const [name, { check, fallback }] of Object.entries(fields)) {
      if (Object.hasOwn(value, name)) checked[name] = check(value[name], below(name))
      else if (fallback) checked[name] = fallback.value
      else throw new BadArgument(at, `missing required field '${name}'`)
    }
    return checked as Fields<S>
  }
}

/** A union of void members, given as their name or as an object with it; `withString` are members that hold a string. */
export function union(
  voids: readonly string[],
  withString: readonly string[] = [],
): Check<{ tag: string; value?: string }> {
  return (value, at) => {
    const tag = isObject(value) ? value['.tag'] : value
    if (typeof tag !== 'string') throw new BadArgument(at, `expected union, got ${typeName(value)}`)
    if (voids.includes(tag)) return { tag }
    if (!withString.includes(tag)) throw new BadArgument(at, `unknown tag '${tag}'`)
    const held = isObject(value) ? value[tag] : undefined
    if (held === undefined) throw new BadArgument(at, `missing '${tag}' key`)
    return { tag, value: string()(held, `${at}.${tag}`) }
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function typeName(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'list'
  return typeof value === 'number' ? (Number.isInteger(value) ? 'integer' : 'float') : typeof value
}
