import type { DirectoryEntry, Entry, FileEntry, HardlinkEntry, SymlinkEntry } from '@pipe-backup/source'

export const MTIME_NS = 1_600_000_000_250_000_000n

function metadata(path: string | Buffer, mode: number) {
  return {
    path: Buffer.from(path),
    mode,
    uid: process.getuid?.() ?? 0,
    gid: process.getgid?.() ?? 0,
    user: '',
    group: '',
    mtimeNs: MTIME_NS,
  }
}

/** @param bytes - a function is called once for each reading: what it throws is what reading throws */
export function file(
  path: string | Buffer,
  bytes: string | Buffer | (() => Buffer) = 'content',
  more: Partial<Pick<FileEntry, 'sparse' | 'mode' | 'mtimeNs' | 'size' | 'attributes'>> = {},
): FileEntry {
  return {
    type: 'file',
    ...metadata(path, 0o640),
    size: typeof bytes === 'function' ? 7 : Buffer.byteLength(bytes),
    ...more,
    open: () => {
      let all: Buffer | undefined
      let at = 0
      return {
        read: (into) => {
          all ??= typeof bytes === 'function' ? bytes() : Buffer.from(bytes)
          const got = all.copy(into, 0, at)
          at += got
          return got
        },
        finish: () => ({ steady: true, mtimeNs: 0n }),
        close: () => undefined,
      }
    },
  }
}

/** A file whose stored bytes are lost. */
export function brokenFile(path: string): FileEntry {
  return file(path, () => {
    throw new Error('chunk lost')
  })
}

export function directory(path: string, mode = 0o750): DirectoryEntry {
  return { type: 'directory', ...metadata(path, mode) }
}

export function symlink(path: string, to: string): SymlinkEntry {
  return { type: 'symlink', ...metadata(path, 0o777), target: Buffer.from(to) }
}

export function hardlink(path: string, to: string): HardlinkEntry {
  return { type: 'hardlink', ...metadata(path, 0o640), linkTo: Buffer.from(to) }
}

export function fifo(path: string, mode = 0o600): Entry {
  return { type: 'fifo', ...metadata(path, mode) }
}
