import { lstat, readlink } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { isRemoteType, Mounts } from './mounts.ts'

/** As the kernel has it: more links than this are a loop. */
const MAX_LINKS = 40

/**
 * Whether one of these paths leads to, or holds, a file system whose answers come from a server or from a program, so that a walk of
 * it may hang for good. Nothing is asked of such a file system itself.
 * @param paths - absolute
 */
export async function mayHang(paths: readonly string[]): Promise<boolean> {
  const mounts = await Mounts.read()
  for (const path of paths) if (await leadsToRemote(path, mounts)) return true
  return false
}

async function leadsToRemote(path: string, mounts: Mounts): Promise<boolean> {
  let rest = resolve(path).split('/').slice(1)
  let at = ''
  for (let links = 0; rest.length > 0; ) {
    const [name = '', ...more] = rest
    const next = `${at}/${name}`
    if (isRemoteType(mounts.typeAt(Buffer.from(next)))) return true
    // What is not remote answers.
    const isLink = await lstat(next).then(
      (stat) => stat.isSymbolicLink(),
      () => false,
    )
    if (isLink && ++links <= MAX_LINKS) {
      const target = resolve(dirname(next), await readlink(next))
      rest = [...target.split('/').slice(1), ...more]
      at = ''
      continue
    }
    at = next
    rest = more
  }
  return mounts.hasRemoteBelow(Buffer.from(at === '' ? '/' : resolve(at)))
}
