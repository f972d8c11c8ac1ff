import { accessSync, constants } from 'node:fs'
import { tmpdir } from 'node:os'
import { settle } from './stress-settle.ts'
import { STEPS, type Step } from './stress-steps.ts'
import type { StressTally } from './stress-tally.ts'
import { StressWorld } from './stress-world.ts'

export interface Episode {
  readonly seed: number
  readonly tally: StressTally
  /** What was not as it must be: empty when all is well. */
  readonly violations: readonly string[]
  /** What was done, a line for each step. */
  readonly log: readonly string[]
}

const TOTAL_WEIGHT = STEPS.reduce((sum, { weight }) => sum + weight, 0)

/** Where the hosts' states are: in memory, where that is possible. */
export function fastDirectory(): string {
  try {
    accessSync('/dev/shm', constants.W_OK)
    return '/dev/shm'
  } catch {
    return tmpdir()
  }
}

function nextStep(random: () => number): Step | undefined {
  let left = random() * TOTAL_WEIGHT
  return STEPS.find(({ weight }) => (left -= weight) < 0)
}

/**
 * The life of a vault of three hosts and three sinks, in random steps that are the same for the same seed. It ends at the first step that
 * leaves something as it must not be; in the end all sinks are back, and everything has to come right.
 */
export async function runEpisode(seed: number, steps: number): Promise<Episode> {
  using world = await StressWorld.create(seed, fastDirectory())
  const { tally, violations, log, random } = world
  tally.episodes++
  for (let left = steps; left > 0 && violations.length === 0; ) {
    const step = nextStep(random)
    world.passTime(1000)
    const what = await step?.act(world)
    world.countFaults()
    if (!step || what === undefined) continue
    left--
    tally.steps.add(step.name)
    log.push(what)
  }
  if (violations.length === 0) await settle(world)
  return { seed, tally, violations, log }
}
