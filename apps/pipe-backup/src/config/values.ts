import { z } from 'zod'
import { strictObject } from './strict-object.ts'

const NAME = /^[a-z0-9][a-z0-9._-]*$/

export const text = z.string().min(1, 'must not be empty')

/** A path of this machine: absolute, from the home directory, or relative to the configuration file. */
export const filePath = text
  .refine((value) => !value.includes('\0'), 'must not hold a NUL')
  .refine(
    (value) => !/^~[^/]/.test(value),
    '~ is your own home directory: write another one in full, or ./~name for a name that begins so',
  )

/** A path below a source. */
export const entryPath = text.refine(
  (value) =>
    !value.includes('\0') && value.split('/').every((part) => part !== '' && part !== '.' && part !== '..'),
  'must be a path below the source, without "." and "..": crontab.txt',
)

export const command = z
  .array(z.string())
  .min(1, 'must name a program')
  .refine((words) => words[0] !== '', 'must name a program')
  .describe('A program and its arguments, without a shell: [pg_dump, --clean, shop]')

/** A program and its arguments; no shell. */
export type CommandConfig = Readonly<z.output<typeof command>>

export const name = z
  .string()
  .regex(NAME, {
    error: (issue) =>
      `${JSON.stringify(issue.input)} can't be a name: small letters, digits, ".", "_" and "-", a letter or digit first`,
  })
  .max(100, 'must have at most 100 letters')
  .meta({ examples: ['wallet', 'disk-1'] })

const SECRET_FORMS = 'must be text, { env: NAME }, { file: PATH } or { command: [PROGRAM, ARGUMENT…] }'

const textOrWhere = () =>
  z.union(
    [
      text,
      strictObject({ env: text }),
      strictObject({ file: text }),
      strictObject({ command: z.array(z.string()).min(1) }),
    ],
    {
      error: (issue) =>
        typeof issue.input === 'number'
          ? 'must be text: put it in quotes'
          : issue.input === undefined
            ? undefined
            : SECRET_FORMS,
    },
  )

/** One object, so that a type's secrets can be reported from its other options: see `secretKeys`. */
export const secret = textOrWhere().describe(
  'A secret: text, or where it comes from: { env: NAME }, { file: PATH } or { command: [PROGRAM, ARGUMENT…] }',
)

/** What a secret goes with, such as the id of a key: it may be read by others, and comes from where the secret does. */
export const keyId = textOrWhere()

/** A secret in the clear, or where to get it: never asked for before it is needed. */
export type SecretConfig = z.output<typeof secret>

const DURATION_FORMS = 'must be a number of seconds, or text such as 90s, 15m, 6h, 1d'
const DURATION = /^(\d+(?:\.\d+)?)\s*(s|m|h|d|w)$/
const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 }

export const duration = z
  .union([z.number().positive(), z.string().regex(DURATION, DURATION_FORMS)], {
    error: (issue) => (issue.input === undefined ? undefined : DURATION_FORMS),
  })
  .describe('A number of seconds, or text such as 90s, 15m, 6h, 1d, 2w')

/** Seconds as a number, or text such as `90s`, `15m`, `6h`, `1d`. */
export type DurationConfig = z.output<typeof duration>

/** @throws RangeError for text that `duration` would have refused. */
export function toMilliseconds(value: DurationConfig): number {
  if (typeof value === 'number') return value * 1000
  const [, count, unit] = DURATION.exec(value) ?? []
  const seconds = SECONDS[unit ?? '']
  if (seconds === undefined) throw new RangeError(`not a duration: ${value}`)
  return Number(count) * seconds * 1000
}

/** Timers that are to run longer go off at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** As `toMilliseconds`, for what is waited for: weeks and months are as good as for good. */
export function toTimerMilliseconds(value: DurationConfig): number {
  return Math.min(toMilliseconds(value), LONGEST_TIMER_MS)
}

const SIZE_FORMS = 'must be a number of bytes, or text such as 500KB, 2MiB'
const SIZE = /^(\d+(?:\.\d+)?)\s*(B|[KMGT]i?B?|[kmgt])$/

export const size = z
  .union([z.number().int().positive(), z.string().regex(SIZE, SIZE_FORMS)], {
    error: (issue) => (issue.input === undefined ? undefined : SIZE_FORMS),
  })
  .describe('A number of bytes, or text such as 500KB (thousands) or 2MiB (powers of 1024)')

/** Bytes as a number, or text such as `500KB`, `2MiB`. */
export type SizeConfig = z.output<typeof size>

/** @throws RangeError for text that `size` would have refused. */
export function toBytes(value: SizeConfig): number {
  if (typeof value === 'number') return value
  const [, count, unit] = SIZE.exec(value) ?? []
  if (unit === undefined) throw new RangeError(`not a size: ${value}`)
  const power = ' KMGT'.indexOf(unit.charAt(0).toUpperCase())
  return Math.round(Number(count) * (unit.includes('i') ? 1024 : 1000) ** Math.max(0, power))
}

/** Which options of a shape hold secrets. */
export function secretKeys(shape: z.ZodRawShape): readonly string[] {
  return Object.keys(shape).filter((key) => {
    const schema = shape[key]
    return isSecret(schema instanceof z.ZodOptional ? schema.unwrap() : schema)
  })
}

/** Whether an option, or what a list of it holds, is a path of this machine. */
export function isFilePath(schema: z.core.$ZodType): boolean {
  if (schema instanceof z.ZodOptional) return isFilePath(schema.unwrap())
  if (schema instanceof z.ZodArray) return isFilePath(schema.element)
  return isSame(schema, filePath)
}

function isSecret(schema: z.core.$ZodType | undefined): boolean {
  return schema !== undefined && isSame(schema, secret)
}

/** A description makes a schema another object, of the same definition. */
function isSame(one: z.core.$ZodType, other: z.core.$ZodType): boolean {
  return one._zod.def === other._zod.def
}
