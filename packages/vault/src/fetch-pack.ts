import { createHash } from 'node:crypto'
import { packKey } from './pack-format.ts'
import type { SinkView } from './sink-view.ts'
import { VaultError } from './vault-error.ts'

export interface FetchPackOptions {
  /** Told of each sink that did not have it whole. */
  readonly onProblem: (sink: string, error: Error) => void
  readonly signal?: AbortSignal
}

/** Reads a pack from whichever sink has it whole: its bytes are what its name says. @returns undefined when none has */
export async function fetchPack(
  name: string,
  views: readonly SinkView[],
  { onProblem, signal }: FetchPackOptions,
): Promise<Uint8Array | undefined> {
  const key = packKey(name)
  for (const view of views) {
    if (!view.packs.has(name)) continue
    const sink = view.sink.name
    try {
      const pack = await view.sink.get(key, { ...(signal && { signal }) })
      if (createHash('sha256').update(pack).digest('hex') === name) return pack
      throw new VaultError('corrupt', `sink "${sink}": ${key} is damaged`, { sink, key })
    } catch (error) {
      signal?.throwIfAborted()
      view.packs.delete(name)
      onProblem(sink, error instanceof Error ? error : new Error(String(error)))
    }
  }
  return undefined
}
