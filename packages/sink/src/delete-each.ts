import type { SinkProvider } from './driver.ts'
import type { Sink, SinkOptions } from './sink.ts'
import { SinkError } from './sink-error.ts'

const AT_ONCE = 8

/** `deleteMany` for providers that delete one object a request: eight at a time. */
export async function deleteEach(
  sink: Pick<Sink, 'delete' | 'name'>,
  keys: readonly string[],
  options: SinkOptions = {},
): Promise<ReadonlyMap<string, SinkError>> {
  const failed = new Map<string, SinkError>()
  const left = keys.values()
  const deleteNext = async (): Promise<void> => {
    for (const key of left) {
      try {
        await sink.delete(key, options)
      } catch (error) {
        if (!(error instanceof SinkError)) throw error
        failed.set(key, error)
      }
      // Each answer is a sign of life, to who watches for silence: of many thousands the last comes late.
      await options.onBytes?.(0)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, deleteNext))
  return failed
}

/** `remove` for providers that delete one object a request. @param remove - deletes one, whether or not it is there */
export function removeEach(
  provider: Pick<SinkProvider, 'name' | 'toSinkError'>,
  keys: readonly string[],
  remove: (key: string) => Promise<void>,
  options: SinkOptions,
): Promise<ReadonlyMap<string, SinkError>> {
  const translated = async (key: string): Promise<void> => {
    options.signal?.throwIfAborted()
    try {
      await remove(key)
    } catch (cause) {
      options.signal?.throwIfAborted()
      throw provider.toSinkError(cause, key)
    }
  }
  return deleteEach({ name: provider.name, delete: translated }, keys, options)
}
