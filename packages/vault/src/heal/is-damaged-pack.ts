import { createHash } from 'node:crypto'
import { packKey } from '../format/pack-format.ts'
import { hasCode } from '../has-code.ts'
import { readPackFooter } from '../store/read-pack-footer.ts'
import { getObject } from '../store/read-sink.ts'
import type { Replica } from '../store/replica.ts'

/**
 * Whether a pack is damaged on a sink now. What was found by an earlier command may have been a lie of the line: nothing is deleted on its word.
 * @returns false of one that is gone
 * @throws SinkError; the abort's reason
 */
export async function isDamagedPack({ sink, context }: Replica, name: string): Promise<boolean> {
  const { keys, signal } = context
  try {
    const pack = await getObject(sink, packKey(name), signal)
    if (createHash('sha256').update(pack).digest('hex') !== name) return true
    await readPackFooter(sink, name, pack.length, keys, signal)
    return false
  } catch (error) {
    if (hasCode(error, 'not-found')) return false
    if (hasCode(error, 'corrupt') || hasCode(error, 'forged')) return true
    throw error
  }
}
