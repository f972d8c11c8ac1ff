import type { Attribute } from './attribute.ts'

/** What every entry carries. Paths, like names on POSIX systems, are bytes: they need not be UTF-8. */
export interface EntryMetadata {
  /**
   * Path below the source, as raw bytes: components joined by `/`, no leading or trailing `/`,
   * no empty, `.` or `..` component, no NUL.
   */
  readonly path: Uint8Array
  /** Permission bits, set-id bits and the sticky bit: `st_mode & 0o7777`. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** User name that `uid` had on the machine that was read; empty where unknown. */
  readonly user: string
  /** Group name that `gid` had on the machine that was read; empty where unknown. */
  readonly group: string
  /** Modification time in nanoseconds since the epoch; may be negative. */
  readonly mtimeNs: bigint
  /**
   * Extended attributes, sorted by the bytes of their names, each once, within the limits of `attributesFlaw`. Absent for none; of a
   * file of a source that has to open it, until it was opened; and of a hard link, which has those of its file.
   */
  readonly attributes?: readonly Attribute[] | undefined
}

/** What distinguishes a file from an older version of itself, without opening it. */
export interface FileIdentity {
  /** Change time in nanoseconds since the epoch. */
  readonly ctimeNs: bigint
  readonly inode: bigint
}

/** A regular file, or a program's output. The only entry with bytes. */
export interface FileEntry extends EntryMetadata {
  readonly type: 'file'
  /** Size in bytes as last seen; `undefined` where it is known only at the end, as for a program's output. */
  readonly size: number | undefined
  /** Absent where a file can't be recognised as unchanged, as for a program's output. */
  readonly identity?: FileIdentity | undefined
  /** True when the file takes less room on disk than its size: restore it with holes. */
  readonly sparse?: boolean | undefined
  /** True when the file changed each time it was read, so that its bytes may be a mixture. */
  readonly unsteady?: boolean | undefined
  /**
   * Opens the file for one reading from its start. May be called again. To be called before the next entry is asked
   * for, and metadata to be read, or copied, after it: a file that was replaced since it was listed is then described as it is, and
   * its extended attributes are there.
   * @throws SourceError `vanished` or `unreadable` for this entry alone; `command-failed` for a source that can't go on.
   */
  open(): EntryReader | Promise<EntryReader>
}

export interface DirectoryEntry extends EntryMetadata {
  readonly type: 'directory'
  /** It was not asked for: something in it was. Where it is there, it stays as it is, and where it is missing it is made like this. */
  readonly ifMissing?: boolean | undefined
}

export interface SymlinkEntry extends EntryMetadata {
  readonly type: 'symlink'
  /** Where it points, as raw bytes. */
  readonly target: Uint8Array
}

/** Another name of a file that came earlier in the same source. */
export interface HardlinkEntry extends EntryMetadata {
  readonly type: 'hardlink'
  /** Path of the earlier entry, in the form of `path`. */
  readonly linkTo: Uint8Array
}

export interface FifoEntry extends EntryMetadata {
  readonly type: 'fifo'
}

export interface DeviceEntry extends EntryMetadata {
  readonly type: 'character-device' | 'block-device'
  readonly major: number
  readonly minor: number
}

export type Entry = FileEntry | DirectoryEntry | SymlinkEntry | HardlinkEntry | FifoEntry | DeviceEntry

/** What is true of a file once its last byte has been read. */
export interface Reading {
  /** False when the file changed while it was read: these bytes may be a mixture. Read it again. */
  readonly steady: boolean
  /** Metadata that belongs to the bytes just read, where they can have moved on since the entry was made. */
  readonly mtimeNs: bigint
  readonly identity?: FileIdentity | undefined
}

/** One reading of a file, into memory that the caller owns: no buffer is made for each piece. */
export interface EntryReader {
  /**
   * Fills `into` from its start with the next bytes. Returns how many, at least 1, and 0 only at the end.
   * A number where the bytes are at hand, a promise where they must be waited for.
   * @throws SourceError `unreadable`, `vanished`, `command-failed`, `truncated`
   */
  read(into: Uint8Array): number | Promise<number>
  /**
   * To be called once after `read` gave 0: says whether the bytes can be trusted, and releases everything.
   * @throws SourceError `command-failed` or `truncated`, when a program did not end well
   */
  finish(): Reading | Promise<Reading>
  /** Gives up: releases everything. Harmless after `finish`. */
  close(): void | Promise<void>
}
