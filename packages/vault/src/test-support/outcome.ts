/** What became of a call: `returned`, the code of what it threw, or the whole error where it has no code of ours. */
export function outcomeOf(act: () => unknown): string {
  try {
    act()
    return 'returned'
  } catch (error) {
    return codeOf(error)
  }
}

/** The code of an error of ours, or the error itself as text: a raw TypeError or RangeError is never an answer. */
export function codeOf(error: unknown): string {
  const ours = error instanceof Error && /^(?:Vault|Sink|Crypto)Error$/.test(error.name)
  return ours && 'code' in error ? String(error.code) : `raw ${String(error)}`
}

/** Copies of the bytes with one bit flipped, one for each byte; which bit depends on the place. */
export function* flips(bytes: Uint8Array): Generator<{ at: number; damaged: Buffer }> {
  for (let at = 0; at < bytes.length; at++) {
    const damaged = Buffer.from(bytes)
    damaged[at] = (damaged[at] ?? 0) ^ (1 << (at % 8))
    yield { at, damaged }
  }
}

/** Copies of the bytes that end early, one for each length. */
export function* truncations(bytes: Uint8Array): Generator<{ at: number; damaged: Buffer }> {
  for (let at = 0; at < bytes.length; at++) yield { at, damaged: Buffer.from(bytes.subarray(0, at)) }
}
