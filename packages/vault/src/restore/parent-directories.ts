import type { ManifestEntry } from '../format/manifest-node.ts'
import type { TreeNodes } from './tree-nodes.ts'
import { isBelow } from './walk-manifest.ts'

const SLASH = 0x2f

type StoredDirectory = Extract<ManifestEntry, { type: 'directory' }>

/** Of a walk that leaves entries out: the directories that what it gives is in, and that it has not given. */
export class ParentDirectories {
  readonly #nodes: Pick<TreeNodes, 'lookUp'>
  /** The directory that was given last, or the one that what was given last is in: those above it were given, too. */
  #inside: Uint8Array = Buffer.of()

  constructor(nodes: Pick<TreeNodes, 'lookUp'>) {
    this.#nodes = nodes
  }

  /** To be called for each entry in walk order, before it is given. @returns the paths of those to be given before it, outermost first */
  before({ path, type }: Pick<ManifestEntry, 'path' | 'type'>): readonly Uint8Array[] {
    const parent = path.subarray(0, Math.max(0, path.lastIndexOf(SLASH)))
    const lacking = isSame(parent, this.#inside) ? [] : this.#lacking(parent)
    this.#inside = type === 'directory' ? path : parent
    return lacking
  }

  /** @returns undefined for a directory of which the snapshot has only what is in it @throws VaultError */
  async find(directory: Uint8Array): Promise<StoredDirectory | undefined> {
    const found = await this.#nodes.lookUp(directory)
    return found?.type === 'directory' && isSame(found.path, directory) ? found : undefined
  }

  #lacking(parent: Uint8Array): Uint8Array[] {
    const lacking: Uint8Array[] = []
    for (let end = parent.indexOf(SLASH); parent.length > 0; end = parent.indexOf(SLASH, end + 1)) {
      const directory = end < 0 ? parent : parent.subarray(0, end)
      if (!isBelow(this.#inside, directory)) lacking.push(directory)
      if (end < 0) break
    }
    return lacking
  }
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}
