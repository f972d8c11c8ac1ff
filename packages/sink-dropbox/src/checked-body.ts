import type { IncomingMessage } from 'node:http'
import { SinkError } from '@pipe-backup/sink'
import { ContentHash } from './content-hash.ts'

/** A download's bytes; ends only when they are those that Dropbox has said they are, where it has said so of all of them. */
export async function* checkedBody(
  response: IncomingMessage,
  contentHash: string | undefined,
  place: { readonly sink: string; readonly key: string },
): AsyncGenerator<Uint8Array> {
  const hash = contentHash === undefined ? undefined : new ContentHash()
  for await (const piece of response as AsyncIterable<Uint8Array>) {
    hash?.update(piece)
    yield piece
  }
  if (hash && hash.digest() !== contentHash)
    throw new SinkError('corrupt', 'has other bytes than were stored', place)
}
