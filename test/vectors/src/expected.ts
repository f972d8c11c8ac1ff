import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

/** An entry of a vault. Paths and targets have one character for each byte. */
export interface ExpectedEntry {
  readonly path: string
  readonly type: 'file' | 'directory' | 'symlink' | 'hardlink' | 'fifo' | 'character-device' | 'block-device'
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly user: string
  readonly group: string
  readonly mtimeNs: string
  /** By their names; names and values have one character for each byte. */
  readonly attributes?: Readonly<Record<string, string>>
  readonly sparse?: boolean
  readonly unsteady?: boolean
  readonly size?: number
  readonly sha256?: string
  readonly target?: string
  readonly major?: number
  readonly minor?: number
}

export interface ExpectedSnapshot {
  readonly id: string
  readonly time: string
  readonly host: string
  readonly sources?: readonly {
    readonly name: string
    readonly state: string
    readonly entries: readonly ExpectedEntry[]
  }[]
  /** What is wrong with it: every reader must refuse it. */
  readonly flaw?: string
}

export interface ExpectedVault {
  readonly name: string
  /** The directory of its sink. */
  readonly sink: string
  readonly about: string
  readonly phrase: string
  /** Part of the message with which the whole vault is refused. */
  readonly refused?: string
  /** Another key pair, and the hosts whose snapshots it opens. */
  readonly recipient?: {
    readonly opens: readonly string[]
    readonly publicKey: string
    readonly secretKey: string
  }
  /** Of each snapshot, oldest first, what its marks say together. */
  readonly marks?: readonly { readonly pinned: boolean; readonly tags: readonly string[] }[]
  /** A phrase to whose public key the vault was granted. */
  readonly partner?: string
  readonly snapshots: readonly ExpectedSnapshot[]
}

const HERE = resolve(import.meta.dirname, '..')

/** Every vault of test/vectors. */
export function expectedVaults(): ExpectedVault[] {
  return readdirSync(HERE)
    .filter((name) => /^(?:engine|crafted)-/.test(name))
    .map((name) => {
      const expected = JSON.parse(readFileSync(join(HERE, name, 'expected.json'), 'utf8')) as ExpectedVault
      return { ...expected, name, sink: join(HERE, name, 'sink') }
    })
}

export interface KeyVector {
  readonly about: string
  readonly phrase: string
  readonly master: string
  readonly vaultId: string
  readonly publicKey: string
  readonly secretKey: string
  readonly rootKey: string
  readonly idKey: string
  readonly indexKey: string
  readonly nodeIdKey: string
  readonly gearKey: string
  readonly pathKey: string
  readonly gearTableSha256: string
  readonly chunkIds: readonly { readonly plain: string; readonly data: string; readonly node: string }[]
}

export function keyVectors(): KeyVector[] {
  return JSON.parse(readFileSync(join(HERE, 'keys.json'), 'utf8')) as KeyVector[]
}
