import { decodePackHeader, type SealedRunKey } from '../format/pack-format.ts'
import { hasCode } from '../has-code.ts'

const GUESS_BYTES = 16 * 1024
/** No header is longer (docs/format.md section 5). */
const MAX_HEADER_BYTES = 1024 * 1024

/**
 * Reads the header of a pack: a few hundred bytes, but many times that in a pack with many run keys.
 * @param range - reads so many bytes from the start of the pack
 * @param maxBytes - the header is no longer than this: where a chunk or the footer begins
 * @throws VaultError `corrupt`, `unsupported-version`; whatever `range` throws
 */
export async function readPackHeader(
  range: (length: number) => Promise<Uint8Array>,
  maxBytes: number,
): Promise<{ readonly header: Uint8Array; readonly runKeys: readonly SealedRunKey[] }> {
  const most = Math.min(maxBytes, MAX_HEADER_BYTES)
  for (let bytes = Math.min(GUESS_BYTES, most); ; bytes = most) {
    const start = await range(bytes)
    try {
      const { length, runKeys } = decodePackHeader(start)
      return { header: start.subarray(0, length), runKeys }
    } catch (error) {
      if (bytes === most || !hasCode(error, 'corrupt')) throw error
    }
  }
}
