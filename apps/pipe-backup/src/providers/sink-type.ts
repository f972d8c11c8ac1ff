import { type Sink, withLimit, withRetry, withTimeout } from '@pipe-backup/sink'
import { z } from 'zod'
import { ifSet } from '../config/if-set.ts'
import { strictObject } from '../config/strict-object.ts'
import {
  duration,
  name,
  type SecretConfig,
  secretKeys,
  size,
  toBytes,
  toTimerMilliseconds,
} from '../config/values.ts'
import type { SinkLocation } from './sink-location.ts'

/** What every sink's configuration has beside its type and name. */
const common = {
  uploadLimit: size.optional().describe('How fast its uploads may go together, in bytes a second'),
  timeout: duration
    .optional()
    .describe('How long no byte may move before a request is given up. Default 2m; none for a directory'),
  concurrency: z
    .number()
    .int()
    .positive()
    .max(64)
    .optional()
    .describe('How many objects are uploaded at a time, at most'),
  retries: z
    .number()
    .int()
    .nonnegative()
    .max(20)
    .optional()
    .describe(
      'How often a request that failed for a reason that may pass is made again, after waits that double. Default 5: about a quarter of a minute; none for a directory',
    ),
}

/** A sink as it is configured, as far as its type does not matter. */
export type SinkConfig = Readonly<z.output<SinkSchema>>

type SinkSchema = z.ZodObject<{ type: z.ZodLiteral<string>; name: typeof name } & typeof common>

/** What a provider needs to open a sink from its configuration. */
export interface OpenContext {
  /** Expands `~` and resolves against the configuration file's directory. */
  readonly path: (value: string) => string
  /** Reads a secret from where the configuration says it is. */
  readonly secret: (value: SecretConfig) => Promise<string>
  /** As `secret`, for what has to be one line. */
  readonly secretLine: (value: SecretConfig) => Promise<string>
  readonly signal?: AbortSignal | undefined
}

export interface SinkContext extends OpenContext {
  /** True for `init` alone: make the place itself, such as a directory. Elsewhere a missing place is an error. */
  readonly create: boolean
}

/** What a type of sink says of one that is configured. Options are as they stand in the configuration, some of them missing. */
export interface SinkTypeTraits<Options> {
  /** Reached over a network: tried again, and not waited for in idle. Default true. */
  readonly isRemote?: boolean | undefined
  /** All that it is in, from the outermost, and itself last; undefined where the configuration does not show it. No two sinks may share it. */
  readonly location?:
    | ((options: Partial<Options>, paths: LocationPaths) => MaybeLater<SinkLocation | undefined>)
    | undefined
  /** The server that it is lost with: an address. Default: its type alone. A directory is asked for its disk. */
  readonly server?: ((options: Partial<Options>) => string | undefined) | undefined
  /** The directory of this machine that it is. */
  readonly directory?: ((options: Partial<Options>) => string | undefined) | undefined
  /** Where its server is to refuse deletes and replacements: what is to be set for the sink to leave that to the server. */
  readonly unguarded?: ((options: Partial<Options>) => Partial<Options> | undefined) | undefined
  /** Variables that it uses where they are set, and that a timer lacks. */
  readonly environment?: ((options: Partial<Options>) => readonly string[]) | undefined
  /** What `config init` asks for, in this order, given what was answered so far. What is required is asked for in any case. */
  readonly asks?: ((options: Partial<Options>) => readonly (keyof Options & string)[]) | undefined
}

type MaybeLater<T> = T | Promise<T>

export interface LocationPaths {
  /** Expands `~` and resolves against the configuration file's directory. */
  readonly path: (value: string) => string
}

/** A type of sink as the configuration knows it. */
export interface SinkType {
  location(config: SinkConfig, paths: LocationPaths): MaybeLater<SinkLocation | undefined>
  server(config: SinkConfig): string | undefined
  directory(config: SinkConfig): string | undefined
  environment(config: SinkConfig): readonly string[]
  /** The options that `config init` asks for beside those that are required. @param given - what was answered so far, as `schema` accepts it */
  asks(given: object): readonly string[]
  /** The same sink, without its own refusals, where its server is to refuse deletes and replacements; otherwise undefined. */
  unguarded(config: SinkConfig): SinkConfig | undefined
  readonly type: string
  readonly schema: SinkSchema
  /** Which of its options are secrets. */
  readonly secrets: readonly string[]
  /** @param config - what `schema` has accepted */
  open(config: SinkConfig, context: SinkContext): Promise<Sink>
}

/**
 * Says how a type of sink is configured and opened. `open` imports the provider's package itself: `--help` must not load an SDK.
 * @param shape - its options, besides those of every sink
 * @param open - gives the plain sink: retries, deadlines and limits are put around it here
 */
export function sinkType<const Shape extends z.ZodRawShape>(
  type: string,
  description: string,
  shape: Shape,
  open: (
    options: z.output<z.ZodObject<Shape>>,
    context: SinkContext & { readonly name: string },
  ) => Promise<Sink>,
  { isRemote = true, ...traits }: SinkTypeTraits<z.output<z.ZodObject<Shape>>> = {},
): SinkType {
  const options = z.object(shape)
  // Configurations are checked by the schema before anything is asked of them.
  const given = (config: object) => config as Partial<z.output<typeof options>>
  return {
    type,
    location: (config, paths) => traits.location?.(given(config), paths),
    server: (config) => traits.server?.(given(config)),
    directory: (config) => traits.directory?.(given(config)),
    environment: (config) => traits.environment?.(given(config)) ?? [],
    asks: (options) => traits.asks?.(given(options)) ?? [],
    unguarded: (config) => {
      const changes = traits.unguarded?.(given(config))
      return changes && { ...config, ...changes }
    },
    schema: strictObject({
      type: z.literal(type),
      name: name.describe('What it is called in messages, and by --sink and --from'),
      ...shape,
      ...common,
    }).describe(description),
    secrets: secretKeys(shape),
    open: async (config, context) =>
      guarded(await open(options.parse(config), { ...context, name: config.name }), config, isRemote),
  }
}

const SILENT_MS = 120_000
/** With waits that double from half a second, a server may be away for about a quarter of a minute; longer, and the run goes on without it. */
const RETRIES = 5

/** A sink with the limits of its configuration; one that is reached over a network is tried again, and not waited for in idle. */
function guarded(sink: Sink, config: SinkConfig, isRemote: boolean): Sink {
  const { uploadLimit, timeout, concurrency, retries = isRemote ? RETRIES : 0 } = config
  const silentMs = timeout === undefined ? (isRemote ? SILENT_MS : undefined) : toTimerMilliseconds(timeout)
  const limits = {
    uploadBytesPerSecond: ifSet(uploadLimit, toBytes),
    concurrency,
  }
  const timed = silentMs === undefined ? sink : withTimeout(sink, { silentMs })
  const limited = Object.keys(limits).length === 0 ? timed : withLimit(timed, limits)
  return retries > 0 ? withRetry(limited, { tries: retries + 1 }) : limited
}
