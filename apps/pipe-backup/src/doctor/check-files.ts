import { lstat, readdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { type FilesSeen, lossOf, parseSeen } from '@pipe-backup/source-files'
import { answerWithin } from '../answer-within.ts'
import { escapeText } from '../terminal/escape-bytes.ts'
import { ANSWER_MS, checkReadable } from './check-paths.ts'
import type { Finding } from './finding.ts'

interface FilesToCheck {
  /** Absolute. */
  readonly paths: readonly string[]
  /** As the source is given them. */
  readonly exclude: readonly string[]
  readonly allowEmpty: boolean
  /** What the last run has seen, as it was kept. */
  readonly seen: unknown
}

/** Whether the paths of a source are there, and are what they were; and which of its patterns did nothing in the last run. */
export async function checkFiles({
  paths,
  exclude,
  allowEmpty,
  seen: kept,
}: FilesToCheck): Promise<Finding[]> {
  const seen = parseSeen(kept)
  const findings = await Promise.all(
    paths.map(async (path) => {
      const found = await checkReadable(path)
      const isToCompare = found.state === 'ok' && seen !== undefined && !allowEmpty
      return (isToCompare ? await findLoss(path, seen) : undefined) ?? found
    }),
  )
  const idle = exclude.filter((pattern) => seen?.unmatched.includes(pattern))
  return [
    ...findings,
    ...idle.map((pattern): Finding => {
      const message = `exclude "${escapeText(pattern)}" has left nothing out in the last run`
      const hint =
        'A pattern is matched below each of `paths`, unless it begins with one of them; correct it, or take it away.'
      return { state: 'warning', message, hint }
    }),
  ]
}

async function findLoss(path: string, { paths }: FilesSeen): Promise<Finding | undefined> {
  const past = paths[Buffer.from(path).toString('latin1')]
  if (past === undefined) return undefined
  const look = async (): Promise<Finding | undefined> => {
    const [own, above] = [await lstat(path), await lstat(dirname(path))]
    if (!own.isDirectory()) return undefined
    // That there is something in it suffices: which of it is taken, a run finds out.
    const entries = (await readdir(path)).length
    const loss = lossOf(past, entries, own.dev !== above.dev)
    return loss && { state: 'failure', message: `${escapeText(path)}: ${loss.message}` }
  }
  return await answerWithin(ANSWER_MS, look()).catch(() => undefined)
}
