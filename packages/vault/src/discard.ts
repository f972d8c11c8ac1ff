/** From this size on memory is never a part of the pool that Node cuts small Buffers from. */
export const OWN_MEMORY_BYTES: number = 256 * 1024

/**
 * Frees what a library has just allocated for a result that was copied on. Left to the collector it would pile up: the
 * heap looks small beside the memory that its Buffers stand for. Smaller memory than OWN_MEMORY_BYTES is left alone.
 * @param bytes - not to be used again, nor anything that shares its memory
 */
export function discard({ buffer }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength >= OWN_MEMORY_BYTES) buffer.transfer(0)
}
