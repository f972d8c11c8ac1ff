import type { FileEntry } from './entry.ts'

const PIECE_BYTES = 64 * 1024

/** Reads a file, and keeps nothing of it: for who wants to know whether it can be read. @throws what its reader throws */
export async function readToEnd(entry: FileEntry): Promise<void> {
  const reader = await entry.open()
  try {
    const piece = Buffer.alloc(PIECE_BYTES)
    while ((await reader.read(piece)) > 0);
    await reader.finish()
  } finally {
    await reader.close()
  }
}
