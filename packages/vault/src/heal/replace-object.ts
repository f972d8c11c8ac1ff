import { hasCode } from '../has-code.ts'
import type { Replica } from '../store/replica.ts'

/**
 * Puts an object on a sink, also in the place of another. A sink that lets nothing be replaced is as good as it was: that is reported, and what
 * else it lacks is brought all the same.
 * @returns whether it is there
 * @throws SinkError
 */
export async function replaceObject(replica: Replica, key: string, object: Uint8Array): Promise<boolean> {
  const isShown = replica.listing.shows(key)
  try {
    await replica.put(key, object)
    return true
  } catch (error) {
    if (!isShown || (!hasCode(error, 'forbidden') && !hasCode(error, 'exists'))) throw error
    replica.report(error)
    return false
  }
}
