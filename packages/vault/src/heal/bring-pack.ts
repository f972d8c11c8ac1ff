import { packKey } from '../format/pack-format.ts'
import { fetchPack } from '../store/fetch-pack.ts'
import type { Replica } from '../store/replica.ts'
import type { Lacking } from '../store/replicas.ts'

/**
 * Copies a pack, through memory, to those that lack it, from whichever replica has it whole. A failure to store it is that replica's own.
 * @param onBrought - called with each that has got it, and the pack's length in bytes
 * @throws the abort's reason
 */
export async function bringPack(
  name: string,
  lacking: readonly Replica[],
  replicas: readonly Replica[],
  onBrought: (replica: Replica, sizeBytes: number) => void,
): Promise<'brought' | Lacking> {
  const pack = await fetchPack(name, replicas)
  if (typeof pack === 'string') return pack
  await Promise.all(
    lacking.map((replica) =>
      replica.attempt(async () => {
        await replica.put(packKey(name), pack)
        onBrought(replica, pack.length)
      }),
    ),
  )
  return 'brought'
}
