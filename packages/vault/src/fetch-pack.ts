import { createHash } from 'node:crypto'
import { hasCode } from './has-code.ts'
import { packKey } from './pack-format.ts'
import { getObject } from './read-sink.ts'
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
      const pack = await getObject(view.sink, key, signal)
      if (createHash('sha256').update(pack).digest('hex') === name) return pack
      throw new VaultError('corrupt', `sink "${sink}": ${key} is damaged`, { sink, key })
    } catch (error) {
      signal?.throwIfAborted()
      view.packs.delete(name)
      onProblem(sink, asDamage(sink, key, error))
    }
  }
  return undefined
}

/** What the sink itself finds damaged, or lists and does not have, is as lost as what proves damaged here. */
function asDamage(sink: string, key: string, cause: unknown): Error {
  if (hasCode(cause, 'not-found'))
    return new VaultError('missing', `sink "${sink}": ${key} is listed, and is not there`, {
      sink,
      key,
      cause,
    })
  if (hasCode(cause, 'corrupt') && !(cause instanceof VaultError))
    return new VaultError('corrupt', `sink "${sink}": ${key} is damaged`, { sink, key, cause })
  return cause instanceof Error ? cause : new Error(String(cause))
}
