import type { Excludes } from './excludes.ts'
import type { Outcome } from './outcome.ts'
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
  outcome: Outcome,
): readonly Claim[] {
  const { absolute, isRoot, claims: outer } = stop
  const claims = excludes.empty ? outer : kept(stop, isDirectory, excludes)
  if (!isRoot) return claims
  return [...claims, { root: absolute, device, relative: '', tally: outcome.tallyOf(absolute) }]
}

/** Whether it is excluded, be it a directory or not: for what can't even be looked at. */
export function isExcludedAsAny(stop: Stop, excludes: Excludes): boolean {
  if (stop.isRoot || excludes.empty) return false
  return kept(stop, true, excludes).length === 0 || kept(stop, false, excludes).length === 0
}

function kept(stop: Stop, isDirectory: boolean, excludes: Excludes): Claim[] {
  const name = stop.absolute.toString('latin1', stop.nameAt) + (isDirectory ? '/' : '')
  const claims: Claim[] = []
  for (const claim of stop.claims) {
    const { root, relative } = claim
    const path = relative + name
    if (!excludes.has(root, path)) claims.push(isDirectory ? { ...claim, relative: path } : claim)
  }
  return claims
}
