import { readFileSync } from 'node:fs'

/** Ids that names have on this machine; empty where the file can't be read. */
function idsIn(path: string): ReadonlyMap<string, number> {
  const ids = new Map<string, number>()
  let text = ''
  try {
    text = readFileSync(path, 'utf8')
  } catch {
    // No such file: names mean nothing here.
  }
  for (const line of text.split('\n')) {
    const [name, , id] = line.split(':')
    if (name && id && /^\d+$/.test(id)) ids.set(name, Number(id))
  }
  return ids
}

/** Turns the owner of an entry into ids of this machine: a name that exists here wins, as with GNU tar. */
export class Owners {
  readonly #users = idsIn('/etc/passwd')
  readonly #groups = idsIn('/etc/group')

  uid(entry: { readonly user: string; readonly uid: number }): number {
    return this.#users.get(entry.user) ?? entry.uid
  }

  gid(entry: { readonly group: string; readonly gid: number }): number {
    return this.#groups.get(entry.group) ?? entry.gid
  }
}
