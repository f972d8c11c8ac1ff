import type { Sink } from '@pipe-backup/sink'
import { ConfigError } from '../config/config-error.ts'
import type { LoadedConfig } from '../config/load-config.ts'
import { findSinkType } from '../config/schema.ts'
import type { SecretReader } from '../secrets/read-secret.ts'
import { UsageError } from '../usage-error.ts'
import type { SinkConfig } from './sink-type.ts'
import { unavailableSink } from './unavailable.ts'

export interface OpenSinksOptions {
  readonly secrets: SecretReader
  readonly signal: AbortSignal
  /** Names from the command line, in order of preference; empty for all. */
  readonly names?: readonly string[] | undefined
  /** Makes places that are missing: of all sinks, and throws where one can't be opened, or of those that it says. */
  readonly create?: (boolean | ((sink: string) => boolean)) | undefined
}

/** Opened sinks, closed together. */
export interface OpenSinks extends AsyncDisposable {
  readonly sinks: readonly Sink[]
}

/**
 * Opens the configured sinks. One whose secret can't be had stands in as a sink that is down.
 * @throws UsageError for a name that is not configured
 */
export async function openSinks(config: LoadedConfig, options: OpenSinksOptions): Promise<OpenSinks> {
  const { secrets, signal, names = [], create = false } = options
  const chosen =
    names.length === 0 ? config.sinks : names.map((name) => findByName('sink', config.sinks, name))
  const open = async (sink: SinkConfig): Promise<Sink> => {
    const context = {
      path: config.path,
      secret: (value: Parameters<SecretReader['read']>[0]) => secrets.read(value),
      secretLine: (value: Parameters<SecretReader['read']>[0]) => secrets.readLine(value),
      signal,
      create: typeof create === 'boolean' ? create : create(sink.name),
    }
    try {
      return await findSinkType(sink.type).open(sink, context)
    } catch (error) {
      if (create !== true && error instanceof ConfigError) return unavailableSink(sink.name, error)
      throw error
    }
  }
  const opened = await Promise.allSettled([...new Set(chosen)].map(open))
  const sinks = opened.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
  const close = async (): Promise<void> => {
    // A sink that can't even be closed has nothing left to say that the run has not said.
    await Promise.allSettled(sinks.map((sink) => sink[Symbol.asyncDispose]()))
  }
  const failed = opened.find((result) => result.status === 'rejected')
  if (failed !== undefined) {
    await close()
    throw failed.reason
  }
  return { sinks, [Symbol.asyncDispose]: close }
}

/** @throws UsageError that names those there are */
export function findByName<T extends { readonly name: string }>(
  what: string,
  all: readonly T[],
  name: string,
): T {
  const found = all.find((item) => item.name === name)
  if (found !== undefined) return found
  const names = all.map((item) => item.name).join(', ')
  throw new UsageError(
    `there is no ${what} "${name}"; the configuration has ${names === '' ? 'none' : names}`,
  )
}
