/** Files below this size share chunks, in walk order. */
export const BUNDLE_FILE_BYTES: number = 128 * 1024
const BUNDLE_MIN_BYTES = 256 * 1024
const BUNDLE_MEAN_REST_BYTES = 512 * 1024
/** No bundle is longer, but for its last file. */
export const BUNDLE_MAX_BYTES: number = 2 * 1024 * 1024
const TAIL_BYTES = 48

/**
 * Whether a bundle ends after this file. Depends on the file's content, so that the same files in the same order are cut into the same
 * bundles whatever they are called and wherever the walk began; a longer file ends one more often.
 * @param file - its bytes
 * @param bundleBytes - the bundle's length with this file in it
 */
export function bundleEndsAfter(file: Uint8Array, bundleBytes: number): boolean {
  if (bundleBytes >= BUNDLE_MAX_BYTES) return true
  if (bundleBytes < BUNDLE_MIN_BYTES) return false
  let hash = 0x811c9dc5 ^ file.length
  for (let i = Math.max(0, file.length - TAIL_BYTES); i < file.length; i++) {
    hash = Math.imul(hash ^ (file[i] ?? 0), 0x01000193)
  }
  hash ^= hash >>> 15
  hash = Math.imul(hash, 0x2c1b3c6d)
  hash ^= hash >>> 12
  return (hash >>> 0) % BUNDLE_MEAN_REST_BYTES < file.length
}
