import { SourceError } from '@pipe-backup/source'

/** The components of an entry's path. @throws SourceError when the path could leave the target */
export function safeComponents(path: Uint8Array): Buffer[] {
  const bytes = Buffer.from(path.buffer, path.byteOffset, path.length)
  const components: Buffer[] = []
  for (let at = 0; at <= bytes.length; ) {
    const slash = bytes.indexOf(0x2f, at)
    const end = slash < 0 ? bytes.length : slash
    const component = bytes.subarray(at, end)
    const text = component.toString('latin1')
    if (text === '' || text === '.' || text === '..' || text.includes('\0')) {
      const shown = JSON.stringify(bytes.toString())
      throw new SourceError('unreadable', `${shown} is no path below the target, and was not written`, {
        path: bytes.toString(),
      })
    }
    components.push(component)
    at = end + 1
  }
  return components
}
