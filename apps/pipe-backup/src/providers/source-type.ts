import type { Source } from '@pipe-backup/source'
import { z } from 'zod'
import { strictObject } from '../config/strict-object.ts'
import {
  type CommandConfig,
  command,
  type DurationConfig,
  duration,
  name,
  secretKeys,
} from '../config/values.ts'
import type { OpenContext } from './sink-type.ts'

/** What every source's configuration has, whatever its type. */
export interface SourceConfig {
  readonly type: string
  readonly name: string
  readonly every?: DurationConfig | undefined
  readonly before?: CommandConfig | undefined
  readonly after?: CommandConfig | undefined
}

/** A type of source as the configuration knows it. */
export interface SourceType {
  readonly type: string
  readonly schema: z.ZodObject
  /** Which of its options are secrets. */
  readonly secrets: readonly string[]
  /** @param config - what `schema` has accepted */
  open(config: SourceConfig, context: OpenContext): Promise<Source>
}

/**
 * Says how a type of source is configured and opened. `open` imports the source's package itself.
 * @param shape - its options, besides those of every source
 */
export function sourceType<const Shape extends z.ZodRawShape>(
  type: string,
  description: string,
  shape: Shape,
  open: (
    options: z.output<z.ZodObject<Shape>>,
    context: OpenContext & { readonly name: string },
  ) => Promise<Source>,
): SourceType {
  const options = z.object(shape)
  return {
    type,
    schema: strictObject({
      type: z.literal(type),
      name: name.describe('The first component of the paths of all that it yields'),
      ...shape,
      every: duration
        .optional()
        .describe('Read it no more often than this. Not acted on by this version: it is read in every run'),
      before: command.optional().describe('A command to run before it is read. Not acted on by this version'),
      after: command.optional().describe('A command to run after it was read. Not acted on by this version'),
    }).describe(description),
    secrets: secretKeys(shape),
    open: (config, context) => open(options.parse(config), { ...context, name: config.name }),
  }
}
