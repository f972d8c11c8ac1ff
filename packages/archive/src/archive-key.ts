/** What an archive is called and when it was made; all of it stands in its id. */
export interface ArchiveName {
  readonly time: Date
  readonly name: string
  /** A tar of sources; false for bytes that were piped in. */
  readonly isTar: boolean
}

export const ARCHIVES = 'archives/'
const KEY =
  /^archives\/(\d{4})(\d{2})(\d{2})t(\d{2})(\d{2})(\d{2})\.(\d{3})z-([a-z0-9][a-z0-9._-]{0,63}?)(\.tar)?\.pb$/
const SUM = '.sha256'

/** Whether an archive can be called so: 1 to 64 of `a-z0-9._-`, the first a letter or a digit. A tar's name does not say that it is one. */
export function isArchiveName(name: string): boolean {
  return /^[a-z0-9][a-z0-9._-]{0,63}$/.test(name)
}

/** `20261128t131000.123z-bot.tar.pb`: sorts by time, and is the file's name on a disk. */
export function archiveId({ time, name, isTar }: ArchiveName): string {
  const stamp = time.toISOString().replaceAll(/[-:]/g, '').toLowerCase()
  return `${stamp}-${name}${isTar ? '.tar' : ''}.pb`
}

export function archiveKey(id: string): string {
  return `${ARCHIVES}${id}`
}

/** The key of what proves an archive. */
export function sumKey(id: string): string {
  return `${ARCHIVES}${id}${SUM}`
}

/** @returns undefined where it is no archive's key */
export function parseArchiveKey(key: string): (ArchiveName & { readonly id: string }) | undefined {
  const [, year, month, day, hour, minute, second, ms, name, tar] = KEY.exec(key) ?? []
  if (name === undefined) return undefined
  const time = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}.${ms}Z`)
  if (Number.isNaN(time.getTime())) return undefined
  return { id: key.slice(ARCHIVES.length), time, name, isTar: tar !== undefined }
}

/** The id of the archive that an object proves; undefined where it proves none. */
export function idOfSum(key: string): string | undefined {
  if (!key.endsWith(SUM)) return undefined
  return parseArchiveKey(key.slice(0, -SUM.length))?.id
}
