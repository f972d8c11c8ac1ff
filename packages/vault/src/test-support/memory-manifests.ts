import { createHash } from 'node:crypto'
import { deriveKeys } from '@pipe-backup/crypto'
import { comparePaths } from '@pipe-backup/source'
import { ManifestBuilder } from '../backup/manifest-builder.ts'
import { ChunkKind } from '../format/chunk-codec.ts'
import type { ReadsChunks } from '../restore/walk-manifest.ts'
import { MemoryChunks } from './memory-chunks.ts'
import { MemorySink } from './memory-sink.ts'

const keys = await deriveKeys(new Uint8Array(32).fill(5))

/** A manifest's paths, each with a number that is its entry's mode: all are directories. */
export type Tree = ReadonlyMap<string, number>

/** Manifests, and what reads them. */
export interface Built {
  readonly reader: ReadsChunks
  readonly roots: readonly Uint8Array[]
  /** Ids of the nodes that were read, each time. */
  readonly read: string[]
}

/** Makes a manifest of each. */
export async function buildManifests(trees: readonly Tree[]): Promise<Built> {
  const sink = new MemorySink('one')
  const chunks = await MemoryChunks.create(keys, [], 16 * 1024 * 1024)
  const known = new Map<string, Uint8Array>()
  const roots = trees.map((tree) => {
    const builder = new ManifestBuilder((node) => {
      const bytes = Buffer.from(node)
      const name = bytes.toString('latin1')
      const id = known.get(name) ?? chunks.add(bytes, ChunkKind.manifestNode)
      known.set(name, id)
      return id
    })
    const sorted = [...tree].map(([path, mode]) => ({ path: Buffer.from(path), mode }))
    sorted.sort((a, b) => comparePaths(a.path, b.path))
    for (const { path, mode } of sorted) {
      const hash = createHash('sha256').update(path).digest().readUInt32LE(0)
      builder.add({ type: 'directory', path, mode, uid: 0, gid: 0, user: '', group: '', mtimeNs: 0n }, hash)
    }
    return builder.finish()
  })
  const reader = await chunks.read(chunks.finish([sink]), [sink])
  const read: string[] = []
  const counting = {
    read: (id: Uint8Array) => {
      read.push(Buffer.from(id).toString('hex'))
      return reader.read(id)
    },
  }
  return { reader: counting, roots, read }
}
