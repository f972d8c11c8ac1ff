import { sample } from './sample.ts'

export interface SinkObject {
  readonly key: string
  readonly bytes: Uint8Array
}

/** So many objects below `packs/`, the same at each call, whose keys say their size. */
export function manyObjects(count: number): readonly SinkObject[] {
  return Array.from({ length: count }, (_, i) => {
    const key = `packs/${(i % 7).toString(16)}/${String(i).padStart(6, '0')}`
    return { key, bytes: sample(key.charCodeAt(key.length - 1)) }
  })
}
