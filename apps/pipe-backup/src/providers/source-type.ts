import { type Source, withTimeout } from '@pipe-backup/source'
import { z } from 'zod'
import { strictObject } from '../config/strict-object.ts'
import { command, duration, name, secretKeys, toTimerMilliseconds } from '../config/values.ts'
import type { Finding } from '../doctor/finding.ts'
import { containErrors } from './contain-errors.ts'
import type { OpenContext } from './sink-type.ts'
import type { SourceSurroundings } from './source-surroundings.ts'

/** What every source's configuration has beside its type and name. */
const common = {
  every: duration
    .optional()
    .describe(
      'Read it no more often than this; between, snapshots have it as it was read last, unless what it reads was changed here',
    ),
  timeout: duration
    .optional()
    .describe('How long nothing may come of it, or of its commands, before it has failed. Default 6h'),
  before: command
    .optional()
    .describe('A command to run before it is read; when it fails, this source has failed'),
  after: command
    .optional()
    .describe(
      'A command to run after it was read, or failed to be, with PIPE_BACKUP_OUTCOME=ok|warning|failed in its environment',
    ),
}

/** A source as it is configured, as far as its type does not matter. */
export type SourceConfig = Readonly<z.output<SourceSchema>>

type SourceSchema = z.ZodObject<{ type: z.ZodLiteral<string>; name: typeof name } & typeof common>

/** Whoever waits longer waits for good, and nobody would hear of it. */
const SILENT_MS = 6 * 60 * 60 * 1000

export function silentMsOf({ timeout }: Pick<SourceConfig, 'timeout'>): number {
  return timeout === undefined ? SILENT_MS : toTimerMilliseconds(timeout)
}

/** What a type of source needs to open a source, or to try it. */
export interface SourceContext extends OpenContext {
  readonly name: string
  readonly surroundings?: SourceSurroundings | undefined
}

/** A type of source as the configuration knows it. */
export interface SourceType {
  readonly type: string
  readonly schema: SourceSchema
  /** Which of its options are secrets. */
  readonly secrets: readonly string[]
  /** @param config - what `schema` has accepted */
  open(config: SourceConfig, context: Omit<SourceContext, 'name'>): Promise<Source>
  /** For `doctor`: tries what reading it needs, without reading much. What it throws is a failure. */
  check(config: SourceConfig, context: Omit<SourceContext, 'name'>): Promise<readonly Finding[]>
  /** For \`verify --drill\`: what tries a file of its more than by reading it; undefined where nothing does. */
  drill(config: SourceConfig, context: Omit<SourceContext, 'name'>): Drill | undefined
}

export interface Drill {
  /** Whether it tries this file. */
  readonly takes: (path: string) => boolean
  /** Tries it, reading it to its end. @throws SourceError when it is of no use */
  readonly run: (pieces: AsyncIterable<Uint8Array>) => Promise<void>
}

/**
 * Says how a type of source is configured, opened and tried. `open` imports the source's package itself.
 * @param shape - its options, besides those of every source
 * @param oneOf - two of its options, of which a source has one
 */
export function sourceType<const Shape extends z.ZodRawShape>(
  type: string,
  description: string,
  shape: Shape,
  open: (options: z.output<z.ZodObject<Shape>>, context: SourceContext) => Promise<Source>,
  check: (options: z.output<z.ZodObject<Shape>>, context: SourceContext) => Promise<readonly Finding[]>,
  drill?: (options: z.output<z.ZodObject<Shape>>, context: SourceContext) => Drill | undefined,
  oneOf?: readonly [string, string],
): SourceType {
  const options = z.object(shape)
  const schema = strictObject({
    type: z.literal(type),
    name: name.describe('The first component of the paths of all that it yields'),
    ...shape,
    ...common,
  })
  const hasOne = (config: object): boolean =>
    oneOf?.filter((option) => Object.hasOwn(config, option)).length === 1
  return {
    type,
    schema: (oneOf
      ? schema.refine(hasOne, `must have ${oneOf.join(' or ')}, and not both`)
      : schema
    ).describe(description),
    secrets: secretKeys(shape),
    open: async (config, context) => {
      const source = await open(options.parse(config), { ...context, name: config.name })
      return withTimeout(containErrors(source), { silentMs: silentMsOf(config) })
    },
    check: (config, context) => check(options.parse(config), { ...context, name: config.name }),
    drill: (config, context) => drill?.(options.parse(config), { ...context, name: config.name }),
  }
}
