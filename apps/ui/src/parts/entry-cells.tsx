import type { Entry } from '../api.ts'
import { withQuery } from '../ask.ts'
import { formatBytes, formatTime } from '../format.ts'
import { linkTo } from '../route.ts'

const SIGNS: Readonly<Record<Entry['type'], string>> = {
  directory: '▸',
  file: '',
  hardlink: '',
  symlink: '↪',
  fifo: '◦',
  'character-device': '◦',
  'block-device': '◦',
}

export function downloadOf(snapshot: string, entry: Pick<Entry, 'path' | 'type'>): string | undefined {
  const { path, type } = entry
  if (type === 'directory') return withQuery('/api/download', { snapshot, path, as: 'tar' })
  return type === 'file' || type === 'hardlink' ? withQuery('/api/download', { snapshot, path }) : undefined
}

/** The cells of an entry: its name, which opens a directory or gets a file, and what there is to say of it. */
export function EntryCells({
  snapshot,
  entry,
  tabIndex,
}: {
  readonly snapshot: string
  readonly entry: Entry
  readonly tabIndex: number
}) {
  const { name, shown = name, type, size, mtime, mode, owner, target } = entry
  const file = downloadOf(snapshot, entry)
  return (
    <>
      <span role="gridcell" class="name">
        <span class="sign" aria-hidden="true">
          {SIGNS[type]}
        </span>
        {type === 'directory' ? (
          <a href={linkTo('browse', snapshot, entry.path)} tabIndex={tabIndex}>
            {shown}/
          </a>
        ) : file === undefined ? (
          // Nothing happens by it, but keys have to get past.
          <button type="button" class="bare" tabIndex={tabIndex}>
            {shown}
          </button>
        ) : (
          <a href={file} download="" tabIndex={tabIndex}>
            {shown}
          </a>
        )}
        {target === undefined ? null : (
          <span class="target">
            {type === 'symlink' ? ' → ' : ' = '}
            {target}
          </span>
        )}
      </span>
      <span role="gridcell" class="number">
        {size === undefined ? '' : formatBytes(size)}
      </span>
      <span role="gridcell" class="wide">
        {mtime === undefined ? '' : formatTime(mtime)}
      </span>
      <span role="gridcell" class="wide mode">
        {mode ?? ''}
      </span>
      <span role="gridcell" class="wide">
        {owner ?? ''}
      </span>
      <span role="gridcell" class="end">
        {file === undefined ? null : (
          <a
            href={file}
            download=""
            tabIndex={tabIndex}
            aria-label={type === 'directory' ? `tar of ${name}` : `get ${name}`}
          >
            {type === 'directory' ? 'tar' : 'get'}
          </a>
        )}
      </span>
    </>
  )
}

export const ENTRY_HEADS: readonly string[] = ['Name', 'Size', 'Changed', 'Mode', 'Owner', 'Get']
