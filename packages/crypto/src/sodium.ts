import sodium from 'libsodium-wrappers'

/** libsodium, once its WebAssembly is ready. */
export async function readySodium(): Promise<typeof sodium> {
  await sodium.ready
  return sodium
}
