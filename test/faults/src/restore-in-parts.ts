import { extract } from '@pipe-backup/extract'
import type { Entry } from '@pipe-backup/source'
import { fileEntry } from './simulated-server.ts'

/** Files in a directory that is there, one that ends with a hole, and one in a directory that the restore makes. */
export const RESTORED: Readonly<Record<string, Buffer>> = {
  first: Buffer.alloc(3000, 'first'),
  hole: Buffer.concat([Buffer.alloc(5000, 'hole'), Buffer.alloc(20_000)]),
  second: Buffer.alloc(3000, 'second'),
  'new/third': Buffer.alloc(3000, 'third'),
}

/** As `restore --to` does, which may go on with what an earlier one has begun. */
export async function restoreInto(directory: string): Promise<void> {
  const entries = Object.entries(RESTORED).map(
    ([path, bytes]): Entry => ({
      ...fileEntry(path, { bytes, inode: 1n, changed: 0n }),
      ...(path === 'hole' && { sparse: true }),
    }),
  )
  await extract(entries, directory, { overwrite: 'changed', ownership: false })
}
