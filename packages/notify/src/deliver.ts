import type { Channel } from './channel.ts'
import type { Notice } from './notice.ts'

/** What became of a delivery. JSON, but for the errors. */
export interface Delivery {
  /** What each channel has still to be given, by its id. */
  readonly pending: Readonly<Record<string, readonly Notice[]>>
  readonly failures: readonly { readonly channel: string; readonly error: Error }[]
}

/** A channel that is broken for long is not sent a year's worth when it works again. */
const MAX_PENDING = 50

/**
 * Gives notices to all channels at once, with what an earlier delivery could not bring. One that fails, or is cut short by the signal,
 * does not stop another; never rejects.
 */
export async function deliver(
  channels: readonly Channel[],
  notices: readonly Notice[],
  pending: Delivery['pending'],
  signal?: AbortSignal,
): Promise<Delivery> {
  const left: Record<string, readonly Notice[]> = {}
  const failures: { channel: string; error: Error }[] = []
  await Promise.all(
    channels.map(async (channel) => {
      const due = [...(pending[channel.id] ?? []), ...notices]
      if (due.length === 0) return
      try {
        await channel.send(due, signal)
      } catch (error) {
        // That something went well is of no interest any more the next time.
        left[channel.id] = due.filter(({ level }) => level !== 'success').slice(-MAX_PENDING)
        failures.push({
          channel: channel.name,
          error: error instanceof Error ? error : new Error(String(error)),
        })
      }
    }),
  )
  return { pending: left, failures }
}
