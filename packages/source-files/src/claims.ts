import type { Excludes } from './excludes.ts'
import type { Claim, Stop } from './route.ts'

/**
 * Who takes what is at this stop: the outer configured paths whose patterns do not exclude it, and itself if it is one.
 * @returns what they claim in it, should it be a directory; empty when nobody takes it
 */
export function claimsAt(
  stop: Stop,
  isDirectory: boolean,
  device: bigint,
  excludes: Excludes,
): readonly Claim[] {
  const { absolute, isRoot, claims: outer } = stop
  const claims = excludes.empty ? outer : kept(stop, isDirectory, excludes)
  return isRoot ? [...claims, { root: absolute, device, relative: '' }] : claims
}

/** Whether it is excluded, be it a directory or not: for what can't even be looked at. */
export function isExcludedAsAny(stop: Stop, excludes: Excludes): boolean {
  if (stop.isRoot || excludes.empty) return false
  return kept(stop, true, excludes).length === 0 || kept(stop, false, excludes).length === 0
}

function kept(stop: Stop, isDirectory: boolean, excludes: Excludes): Claim[] {
  const name = stop.absolute.toString('latin1', stop.nameAt) + (isDirectory ? '/' : '')
  const claims: Claim[] = []
  for (const { root, device, relative } of stop.claims) {
    const path = relative + name
    if (!excludes.has(path)) claims.push({ root, device, relative: isDirectory ? path : relative })
  }
  return claims
}
