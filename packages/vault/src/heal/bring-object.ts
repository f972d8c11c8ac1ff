import type { Replica } from '../store/replica.ts'
import { readFromAny } from '../store/replicas.ts'
import type { ReconcileResult } from './reconcile-result.ts'

/**
 * Brings a sink an object that it lacks, from the first that has it whole.
 * @param check - throws where the bytes are not that object's
 * @throws SinkError; the abort's reason
 */
export async function bringObject(
  result: ReconcileResult,
  replicas: readonly Replica[],
  key: string,
  check: (object: Uint8Array) => void,
): Promise<void> {
  const { replica } = result
  if (replica.has(key)) return
  const object = await readFromAny(replicas, key, (bytes) => {
    check(bytes)
    return bytes
  })
  if (object === 'unanswered') result.unanswered++
  if (typeof object === 'string') return
  await replica.put(key, object)
  result.count('objects', key, object.length)
}
