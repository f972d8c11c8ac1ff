import type { Sink } from '@pipe-backup/sink'
import { z } from 'zod'
import { strictObject } from '../config/strict-object.ts'
import {
  type DurationConfig,
  duration,
  name,
  type SecretConfig,
  type SizeConfig,
  secretKeys,
  size,
} from '../config/values.ts'

/** What every sink's configuration has, whatever its type. */
export interface SinkConfig {
  readonly type: string
  readonly name: string
  readonly uploadLimit?: SizeConfig | undefined
  readonly timeout?: DurationConfig | undefined
  readonly concurrency?: number | undefined
}

/** What a provider needs to open a sink from its configuration. */
export interface OpenContext {
  /** Expands `~` and resolves against the configuration file's directory. */
  readonly path: (value: string) => string
  /** Reads a secret from where the configuration says it is. */
  readonly secret: (value: SecretConfig) => Promise<string>
  readonly signal?: AbortSignal | undefined
}

export interface SinkContext extends OpenContext {
  /** True for `init` alone: make the place itself, such as a directory. Elsewhere a missing place is an error. */
  readonly create: boolean
}

/** A type of sink as the configuration knows it. */
export interface SinkType {
  readonly type: string
  readonly schema: z.ZodObject
  /** Which of its options are secrets. */
  readonly secrets: readonly string[]
  /** @param config - what `schema` has accepted */
  open(config: SinkConfig, context: SinkContext): Promise<Sink>
}

/**
 * Says how a type of sink is configured and opened. `open` imports the provider's package itself: `--help` must not load an SDK.
 * @param shape - its options, besides those of every sink
 */
export function sinkType<const Shape extends z.ZodRawShape>(
  type: string,
  description: string,
  shape: Shape,
  open: (
    options: z.output<z.ZodObject<Shape>>,
    context: SinkContext & { readonly name: string },
  ) => Promise<Sink>,
): SinkType {
  const options = z.object(shape)
  return {
    type,
    schema: strictObject({
      type: z.literal(type),
      name: name.describe('What it is called in messages, and by --sink and --from'),
      ...shape,
      uploadLimit: size.optional().describe('Bytes a second, at most. Not acted on by this version'),
      timeout: duration.optional().describe('How long one request may take. Not acted on by this version'),
      concurrency: z
        .number()
        .int()
        .positive()
        .max(64)
        .optional()
        .describe('Uploads at a time. Not acted on by this version'),
    }).describe(description),
    secrets: secretKeys(shape),
    open: (config, context) => open(options.parse(config), { ...context, name: config.name }),
  }
}
