import type { Entry, EntryMetadata } from '@pipe-backup/source'
import type { Content } from './content.ts'
import { entryPath } from './entry-path.ts'
import type { Member } from './member.ts'
import { attributesOf } from './pax-attributes.ts'
import { type PaxRecords, paxNumber, paxTime, paxValue } from './pax-records.ts'
import { shown, TarError } from './tar-error.ts'

const SLASH = 0x2f

/**
 * A member of an archive as an entry; undefined for what stands for no file: the directory that the archive was made in, a volume's label.
 * @throws TarError `unsafe-path`, `unsupported`, with the entry's path; `corrupt`
 */
export function toEntry(member: Member, content: Content | undefined): Entry | undefined {
  const { header, name, link, size } = member
  if (header.type === 'V') return undefined
  const path = entryPath(name)
  if (path.length === 0) return undefined
  const metadata = metadataOf(member, path)
  switch (header.type) {
    case '0':
    case '7':
    case 'S':
      if (header.type === 'S' && !header.gnu) break
      // Programs before POSIX had no type for directories.
      if (name.at(-1) === SLASH && size === 0) return { type: 'directory', ...metadata }
      if (!content) break
      return {
        type: 'file',
        ...metadata,
        size,
        ...(member.map && { sparse: true }),
        open: () => content.open(metadata.mtimeNs),
      }
    case '1':
      return { type: 'hardlink', ...metadata, linkTo: linkPath(name, link) }
    case '2':
      if (link.length === 0 || link.includes(0)) throw unsafeLink(name, 'leads nowhere')
      return { type: 'symlink', ...metadata, target: link }
    case '3':
      return { type: 'character-device', ...metadata, major: header.major, minor: header.minor }
    case '4':
      return { type: 'block-device', ...metadata, major: header.major, minor: header.minor }
    case '5':
    case 'D': // With the names of what was in it, for GNU's incremental archives.
      return { type: 'directory', ...metadata }
    case '6':
      return { type: 'fifo', ...metadata }
  }
  throw new TarError(
    'unsupported',
    `the entry ${shown(name)} is of a kind not known here: ${kind(header.type)}`,
    {
      path: Buffer.from(name).toString(),
    },
  )
}

function metadataOf({ header, records }: Member, path: Uint8Array): EntryMetadata {
  const name = (keyword: string) => {
    const value = paxValue(records, keyword)
    return value && Buffer.from(value).toString()
  }
  return {
    path,
    mode: header.mode,
    uid: paxNumber(records, 'uid') ?? header.uid,
    gid: paxNumber(records, 'gid') ?? header.gid,
    user: name('uname') ?? header.user,
    group: name('gname') ?? header.group,
    mtimeNs: paxTime(records, 'mtime') ?? header.mtimeNs,
    ...(header.type !== '1' && withAttributes(records)),
  }
}

/** A hard link has those of its file. */
function withAttributes(records: PaxRecords | undefined): Pick<EntryMetadata, 'attributes'> | undefined {
  const attributes = attributesOf(records)
  return attributes && { attributes }
}

/** The path that a hard link is another name of. */
function linkPath(name: Uint8Array, link: Uint8Array): Uint8Array {
  let path: Uint8Array
  try {
    path = entryPath(link)
  } catch {
    throw unsafeLink(name, `is a link to ${shown(link)}`)
  }
  if (path.length === 0) throw unsafeLink(name, 'is a link to nothing')
  return path
}

function unsafeLink(name: Uint8Array, why: string): TarError {
  return new TarError('unsafe-path', `the entry ${shown(name)} ${why}, and was not taken`, {
    path: Buffer.from(name).toString(),
  })
}

function kind(type: string): string {
  return type === 'M' ? 'part of a file from another volume' : `type ${JSON.stringify(type)}`
}
