import { readFileSync } from 'node:fs'

/** Names of users and groups by their numbers, as /etc/passwd and /etc/group have them; read once, when first asked. */
export class Owners {
  #users: ReadonlyMap<number, string> | undefined
  #groups: ReadonlyMap<number, string> | undefined

  /** Empty where unknown. */
  user(uid: number): string {
    this.#users ??= readNames('/etc/passwd')
    return this.#users.get(uid) ?? ''
  }

  /** Empty where unknown. */
  group(gid: number): string {
    this.#groups ??= readNames('/etc/group')
    return this.#groups.get(gid) ?? ''
  }
}

/** Lines of `name:password:number:…`, see passwd(5) and group(5). The first line of a number counts, as in getpwuid(3). */
function parseNames(text: string): Map<number, string> {
  const names = new Map<number, string>()
  for (const line of text.split('\n')) {
    const [name, , id] = line.split(':')
    if (name === undefined || id === undefined || !/^\d+$/.test(id)) continue
    if (!names.has(Number(id))) names.set(Number(id), name)
  }
  return names
}

function readNames(file: string): Map<number, string> {
  try {
    return parseNames(readFileSync(file, 'utf8'))
  } catch {
    // A container may have none. Names are a help to the reader of a listing; the numbers are what is restored.
    return new Map()
  }
}
