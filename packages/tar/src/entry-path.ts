import { shown, TarError } from './tar-error.ts'

const SLASH = 0x2f
const DOT = 0x2e

/**
 * The path of an entry as entries have it. Archives made of `.`, or of `a//b`, say `./a`, `a//b` and `a/`: the system takes these for the
 * same, and so does this. Empty for the directory that the archive was made in.
 * @throws TarError `unsafe-path` for an absolute path, for one with `..` in it, and for one with a NUL, which no file has
 */
export function entryPath(name: Uint8Array): Uint8Array {
  if (name[0] === SLASH) throw unsafe(name, 'is an absolute path')
  if (name.includes(0)) throw unsafe(name, 'has a NUL in it')
  const components: Uint8Array[] = []
  for (let at = 0; at < name.length; ) {
    const slash = name.indexOf(SLASH, at)
    const end = slash < 0 ? name.length : slash
    if (end - at === 2 && name[at] === DOT && name[at + 1] === DOT) throw unsafe(name, 'leads upwards')
    const plain = end - at > 1 || (end - at === 1 && name[at] !== DOT)
    if (plain) components.push(name.subarray(at, end))
    at = end + 1
  }
  const bytes = components.reduce((sum, { length }) => sum + length + 1, 0)
  const path = Buffer.alloc(Math.max(0, bytes - 1), SLASH)
  let at = 0
  for (const component of components) {
    path.set(component, at)
    at += component.length + 1
  }
  return path
}

function unsafe(name: Uint8Array, why: string): TarError {
  return new TarError('unsafe-path', `the entry ${shown(name)} ${why}, and was not taken`, {
    path: Buffer.from(name).toString(),
    hint: 'Unpack it by a program that you trust to rename it.',
  })
}
