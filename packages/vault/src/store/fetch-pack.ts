import { createHash } from 'node:crypto'
import { toError } from '@pipe-backup/sink'
import { packKey } from '../format/pack-format.ts'
import { hasCode } from '../has-code.ts'
import { VaultError } from '../vault-error.ts'
import { damageOf } from './damage-of.ts'
import { getObject } from './read-sink.ts'
import type { SinkView } from './sink-view.ts'

export interface FetchPackOptions {
  /** Called with each sink that did not have it whole, or did not answer. */
  readonly onProblem: (sink: string, error: Error) => void
  readonly signal?: AbortSignal | undefined
}

/** `lost`: no sink has it whole; `unanswered`: none that answered, and another one shows it. */
export type FetchedPack = Uint8Array | 'lost' | 'unanswered'

/** Reads a pack from whichever sink has it whole: its bytes are what its name says. */
export async function fetchPack(
  name: string,
  views: readonly SinkView[],
  { onProblem, signal }: FetchPackOptions,
): Promise<FetchedPack> {
  const key = packKey(name)
  let isAnswered = true
  for (const view of views) {
    if (!view.packs.has(name)) continue
    const sink = view.sink.name
    try {
      const pack = await getObject(view.sink, key, signal)
      if (createHash('sha256').update(pack).digest('hex') === name) return pack
      throw new VaultError('corrupt', `sink "${sink}": ${key} is damaged`, { sink, key })
    } catch (error) {
      signal?.throwIfAborted()
      const problem = asDamage(sink, key, error)
      if (damageOf(problem) === undefined) isAnswered = false
      else view.packs.delete(name)
      onProblem(sink, problem)
    }
  }
  return isAnswered ? 'lost' : 'unanswered'
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
  return toError(cause)
}
