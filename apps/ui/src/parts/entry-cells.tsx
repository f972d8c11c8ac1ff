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

/** What can be had of an entry: a file as it is, a directory in two forms; nothing of what is neither. */
export function downloadsOf(
  snapshot: string,
  { name, path, type }: Entry,
): readonly { readonly word: string; readonly label: string; readonly href: string }[] {
  if (type === 'directory')
    return (['tar', 'zip'] as const).map((as) => ({
      word: as,
      label: `${as} of ${name}`,
      href: withQuery('/api/download', { snapshot, path, as }),
    }))
  if (type !== 'file' && type !== 'hardlink') return []
  return [{ word: 'get', label: `get ${name}`, href: withQuery('/api/download', { snapshot, path }) }]
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
  const downloads = downloadsOf(snapshot, entry)
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
        ) : downloads[0] === undefined ? (
          // Nothing happens by it, but keys have to get past.
          <button type="button" class="bare" tabIndex={tabIndex}>
            {shown}
          </button>
        ) : (
          <a href={downloads[0].href} download="" tabIndex={tabIndex}>
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
        {downloads.map(({ word, label, href }) => (
          <a key={word} href={href} download="" tabIndex={tabIndex} aria-label={label}>
            {word}
          </a>
        ))}
      </span>
    </>
  )
}

export const ENTRY_HEADS: readonly string[] = ['Name', 'Size', 'Changed', 'Mode', 'Owner', 'Get']
