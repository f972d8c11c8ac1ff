import { readCorpus } from './corpus.ts'
import { Coverage } from './coverage.ts'
import { type Flaw, judge } from './judge.ts'
import { MAX_INPUT_BYTES, mutate } from './mutate.ts'
import { Random } from './random.ts'
import type { FuzzTarget } from './target.ts'

/** Coverage is looked at once for so many inputs: that takes longer than most decoders. */
const BATCH = 32

export interface FuzzerOptions {
  readonly target: FuzzTarget
  readonly seed: number
  readonly untilMs: number
  /** Called before each input is fed. */
  readonly onInput: (input: Uint8Array) => void
  /** Called once for each defect. */
  readonly onFlaw: (flaw: Flaw, input: Uint8Array) => void
}

export interface FuzzerResult {
  readonly inputs: number
  readonly blocks: number
  /** The inputs that each ran code which none before had, among them the seeds. */
  readonly corpus: readonly Uint8Array[]
}

/** Feeds a target mutated inputs until the time is over, and goes on from those that ran code which none before had. */
export async function fuzz({ target, seed, untilMs, onInput, onFlaw }: FuzzerOptions): Promise<FuzzerResult> {
  const coverage = new Coverage('/test/fuzz/')
  const random = new Random(seed)
  const signatures = new Set<string>()
  const corpus: Uint8Array[] = []
  let inputs = 0
  const feed = async (input: Uint8Array): Promise<void> => {
    onInput(input)
    inputs++
    const flaw = await judge(target, input)
    if (!flaw || signatures.has(flaw.signature)) return
    signatures.add(flaw.signature)
    onFlaw(flaw, input)
  }
  const keepNew = async (some: readonly Uint8Array[]): Promise<void> => {
    for (const input of some) {
      coverage.skip()
      await feed(input)
      const found = coverage.look()
      coverage.keep(found)
      if (found.length > 0) corpus.push(input)
    }
  }
  const known = [...target.seeds, ...readCorpus(target.name)].map((bytes) =>
    bytes.subarray(0, MAX_INPUT_BYTES),
  )
  await keepNew(known)
  // One that runs nothing new may lead further all the same.
  if (corpus.length === 0) corpus.push(...known, Buffer.of(0))
  while (Date.now() < untilMs) {
    const batch = Array.from({ length: BATCH }, () =>
      mutate(choose(corpus, random), random, choose(corpus, random)),
    )
    for (const input of batch) await feed(input)
    const found = coverage.look()
    if (found.length > 0) await keepNew(batch)
    // Some of it may belong to no input: timers and connections run when they want.
    coverage.keep(found)
  }
  return { inputs, blocks: coverage.blocks, corpus }
}

/** The newest more often: what they have reached was tried least. */
function choose(corpus: readonly Uint8Array[], random: Random): Uint8Array {
  const from = random.below(3) === 0 ? Math.max(0, corpus.length - 16) : 0
  return random.pick(corpus.slice(from))
}

/** The smallest of these inputs that together run all that they run. */
export async function minimise(
  target: FuzzTarget,
  inputs: readonly Uint8Array[],
): Promise<readonly Uint8Array[]> {
  const coverage = new Coverage('/test/fuzz/')
  const kept: Uint8Array[] = []
  for (const input of inputs.toSorted((a, b) => a.length - b.length)) {
    coverage.skip()
    await judge(target, input)
    const found = coverage.look()
    coverage.keep(found)
    if (found.length > 0) kept.push(input)
  }
  return kept
}
