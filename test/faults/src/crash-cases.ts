import { dirname } from 'node:path'
import { crashAftermath } from './crash-aftermath.ts'
import type { CrashScenario } from './crash-scenarios.ts'
import { inTime } from './in-time.ts'
import { type CrashPoint, Lifeline } from './lifeline.ts'
import { mortalSink } from './mortal-sink.ts'
import type { SmallVault } from './small-vault.ts'
import { watchWrites } from './watch-writes.ts'

/** Whose state is in which directory. The dead are remembered: what they had begun must not write either. */
const lives = new Map<string, Lifeline>()

/** Of what is below a directory, not of itself: the test removes it. */
function lifeOf(path: string): Lifeline | undefined {
  for (let directory = dirname(path); directory !== dirname(directory); directory = dirname(directory)) {
    const life = lives.get(directory)
    if (life) return life
  }
  return undefined
}

/** From then on local state is a part of the life of whoever writes it. */
export async function watchStates(): Promise<void> {
  await watchWrites({
    isWatched: (path) => lifeOf(path) !== undefined,
    write: (path, what, act) => lifeOf(path)?.write(what, act) ?? act(),
    writeSync: (path, what, act) => lifeOf(path)?.writeSync(what, act) ?? act(),
  })
}

export interface CrashResult {
  /** Its writes, up to the one where it was killed. */
  readonly points: readonly string[]
  readonly hasCrashed: boolean
  /** What was not as it must be: empty when all is well. */
  readonly problems: readonly string[]
}

/** Kills one operation at one of its writes, and looks at what is left, and at what becomes of it. */
export async function crashOnce(
  scenario: CrashScenario,
  prepared: SmallVault,
  point: CrashPoint,
): Promise<CrashResult> {
  const life = new Lifeline(point)
  using killed = prepared.copy()
  const going = scenario.removes?.(killed) ?? []
  lives.set(killed.call.stateDirectory, life)
  const ended = scenario.perform(
    killed,
    killed.stores.map((store) => mortalSink(store, life)),
  )
  const outcome = await inTime(Promise.race([ended, life.died]))
  const { points, isDead } = life
  if (outcome instanceof Error && !isDead)
    return { points, hasCrashed: isDead, problems: [`fails: ${outcome.stack}`] }
  // Another process, that finds what this one has left. The dead one holds on to its open files.
  using vault = killed.copy()
  if (scenario.again) await scenario.perform(vault, vault.stores)
  const aftermath = await inTime(crashAftermath(vault, going, killed.fingerprint))
  const problems = aftermath instanceof Error ? [`the aftermath: ${aftermath.stack}`] : aftermath
  return { points, hasCrashed: isDead, problems }
}
