import { resolve } from 'node:path'
import { z } from 'zod'
import { isFilePath, type SecretConfig, secret } from '../config/values.ts'
import type { Asker } from './asker.ts'
import { parseAnswer } from './parse-answer.ts'
import type { SecretDrawer } from './secret-drawer.ts'

/** Takes away what is suggested, where an option may be left out. */
const NONE = '-'

/** Said before what was answered once is asked for again. */
export const AGAIN = `\nYour answers are in brackets: Enter keeps one, "${NONE}" takes one away that is optional.`

/** Options of a source, sink or notification, as they will stand in the configuration. */
export type Options = Readonly<Record<string, unknown>>

/** A type of one of these, as far as asking goes: what is asked is in its schema. */
export interface AskedType {
  readonly type: string
  readonly schema: z.ZodObject
  readonly secrets: readonly string[]
  /** Which options are asked for, given those that are known. What the schema wants beside them is asked for after them. */
  asks(given: Options): readonly string[]
}

export interface Asking {
  readonly asker: Asker
  readonly drawer: SecretDrawer
  /** What relative paths are relative to where they are typed: in a configuration they are relative to itself. */
  readonly cwd: string
}

/**
 * Asks for the options of a type, one by one.
 * @param owner - what its secrets are named after
 * @param known - which are not asked for
 * @param suggested - what was answered before
 */
export async function askOptions(
  asking: Asking,
  type: AskedType,
  owner: string,
  known: Options = {},
  suggested: Options = {},
): Promise<Options> {
  const given: Record<string, unknown> = { ...known }
  const done = new Set(['type', 'name', ...Object.keys(known)])
  for (;;) {
    const key = [...type.asks(given), ...requiredKeys(type.schema)].find((one) => !done.has(one))
    if (key === undefined) return given
    done.add(key)
    const answer = type.secrets.includes(key)
      ? await askSecret(asking, type.schema, owner, key)
      : await askOption(asking, type.schema, key, suggested[key])
    if (answer !== undefined) given[key] = answer
  }
}

/** Asks for one option until its schema takes the answer. @returns undefined where it may be left out, and was */
export async function askOption(
  { asker, cwd }: Pick<Asking, 'asker' | 'cwd'>,
  schema: z.ZodObject,
  key: string,
  suggested?: unknown,
): Promise<unknown> {
  const option = optionOf(schema, key)
  const isOptional = option.safeParse(undefined).success
  explain(asker, option, key)
  const shown = shownAnswer(suggested)
  for (;;) {
    const answer = await asker.line(`  ${key}${isOptional ? ' (optional)' : ''}`, shown)
    if (isOptional && (answer === '' || answer === NONE)) return undefined
    const parsed = parseAnswer(option, answer)
    if ('value' in parsed) return isFilePath(option) ? absolute(parsed.value, cwd) : parsed.value
    asker.say(`  ${key} ${parsed.mistake}.`)
  }
}

/** Asks where a secret is, or for itself, which goes into a file. */
async function askSecret(
  { asker, drawer, cwd }: Asking,
  schema: z.ZodObject,
  owner: string,
  key: string,
): Promise<SecretConfig | undefined> {
  const option = optionOf(schema, key)
  const isOptional = option.safeParse(undefined).success
  explain(asker, option, key)
  const how = await asker.choose(`  ${key}: where does it come from?`, [
    { value: 'typed', label: 'I type it now: it goes to a file that only this user can read' },
    { value: 'file', label: 'a file that holds it' },
    { value: 'env', label: 'an environment variable' },
    ...(isOptional ? [{ value: 'none', label: 'none is needed' }] : []),
  ])
  if (how === 'none') return undefined
  if (how === 'file') return { file: absolutePath(await needed(asker, '  Path of the file'), cwd) }
  if (how === 'env') {
    for (;;) {
      const env = await needed(asker, '  Name of the variable')
      if (/^[A-Za-z_]\w*$/.test(env)) return { env }
      asker.say('  A name has letters, digits and "_".')
    }
  }
  for (;;) {
    const text = await asker.hidden(`  ${key}`)
    if (text !== '') return await drawer.put(owner, key, text)
    if (isOptional) return undefined
    asker.say(`  ${key} must not be empty.`)
  }
}

/** As it could be typed. */
function shownAnswer(value: unknown): string {
  if (Array.isArray(value)) return value.map(shownAnswer).join(', ')
  return typeof value === 'string' || typeof value === 'number' ? String(value) : ''
}

/** A path as it stands in a configuration. What begins with `~` stays as it is. */
export function absolutePath(path: string, cwd: string): string {
  return path.startsWith('~') ? path : resolve(cwd, path)
}

function absolute(value: unknown, cwd: string): unknown {
  if (Array.isArray(value)) return value.map((one) => absolute(one, cwd))
  return typeof value === 'string' ? absolutePath(value, cwd) : value
}

async function needed(asker: Asker, question: string): Promise<string> {
  for (;;) {
    const answer = await asker.line(question)
    if (answer !== '') return answer
  }
}

/** Says what an option is for, where its schema does: a name such as `host` speaks for itself. */
function explain(asker: Asker, option: z.ZodType, key: string): void {
  const description = option.description ?? innerDescription(option)
  // That secrets may be written in several forms is what is asked for next.
  if (description !== undefined && description !== secret.description)
    asker.say(`  ${key}: ${description}.`.replace(/\.\.$/, '.'))
}

/** `describe` before `optional` is the inner type's. */
function innerDescription(option: z.ZodType): string | undefined {
  const inner: unknown = option instanceof z.ZodOptional ? option.unwrap() : undefined
  return inner instanceof z.ZodType ? inner.description : undefined
}

function optionOf(schema: z.ZodObject, key: string): z.ZodType {
  const option: unknown = schema.shape[key]
  if (!(option instanceof z.ZodType)) throw new RangeError(`there is no option ${key}`)
  return option
}

function requiredKeys(schema: z.ZodObject): readonly string[] {
  return Object.keys(schema.shape).filter((key) => !optionOf(schema, key).safeParse(undefined).success)
}
