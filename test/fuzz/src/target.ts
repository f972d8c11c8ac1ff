import { globSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const ROOT = join(import.meta.dirname, '../../..')
const FILES = '{packages,apps}/*/src/test-support/fuzz-targets.ts'

/** A decoder that is fed bytes of all kinds. The packages have them beside their decoders, so that nothing is exported for this. */
export interface FuzzTarget {
  readonly name: string
  /** Inputs to begin with. It decodes the first of them. */
  readonly seeds: readonly Uint8Array[]
  /** True where it decodes errors, and always throws what they mean. */
  readonly isOfErrors?: boolean
  /** Returns, or throws an error of ours: anything else is a finding, such as an Error that says which property does not hold. */
  readonly decode: (bytes: Uint8Array) => unknown
}

/** All targets, sorted by name. @throws TypeError where a package gives something else */
export async function loadTargets(): Promise<readonly FuzzTarget[]> {
  const files = globSync(FILES, { cwd: ROOT })
  const modules = await Promise.all(files.map((file) => import(pathToFileURL(join(ROOT, file)).href)))
  const targets = modules.flatMap(({ fuzzTargets }: { fuzzTargets?: unknown }) => {
    if (!Array.isArray(fuzzTargets) || !fuzzTargets.every(isTarget)) throw new TypeError('no list of targets')
    return fuzzTargets
  })
  return targets.toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

function isTarget(value: unknown): value is FuzzTarget {
  return (
    typeof value === 'object' && value !== null && 'name' in value && 'seeds' in value && 'decode' in value
  )
}
