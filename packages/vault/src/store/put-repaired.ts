import type { Sink } from '@pipe-backup/sink'
import { hasCode } from '../has-code.ts'
import { VaultError } from '../vault-error.ts'

/**
 * Puts an object in place of one that is damaged, and looks: a provider that knows objects by their hashes may take the new one for
 * what it has already, and keep the damaged bytes. Then the damaged one is removed first.
 * @throws SinkError; VaultError `corrupt` when the sink does not give back what it was given
 */
export async function putRepaired(
  sink: Sink,
  key: string,
  bytes: Uint8Array,
  options: { readonly signal?: AbortSignal | undefined },
): Promise<void> {
  await sink.put(key, bytes, options)
  if (await holds(sink, key, bytes, options)) return
  await sink.delete(key, options)
  await sink.put(key, bytes, options)
  if (await holds(sink, key, bytes, options)) return
  throw new VaultError('corrupt', `sink "${sink.name}": ${key} is damaged each time that it is stored`, {
    sink: sink.name,
    key,
    hint: 'Its disk or its provider can not be trusted.',
  })
}

async function holds(
  sink: Sink,
  key: string,
  bytes: Uint8Array,
  options: { readonly signal?: AbortSignal | undefined },
): Promise<boolean> {
  try {
    return Buffer.compare(await sink.get(key, { ...options, maxBytes: bytes.length }), bytes) === 0
  } catch (error) {
    // A sink that checks what it reads by the provider's own hash says so itself.
    if (hasCode(error, 'corrupt')) return false
    throw error
  }
}
