import { z } from 'zod'
import { nearestName } from './nearest-name.ts'

/**
 * An object in which an unknown key is an error that names the nearest known one. The messages of one issue are
 * lines, in the order of its keys: `describeIssues` takes them apart.
 */
export function strictObject<Shape extends z.ZodRawShape>(
  shape: Shape,
): z.ZodObject<z.core.util.Writeable<Shape>, z.core.$strict> {
  const known = Object.keys(shape)
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? issue.keys.map((key) => explainKey(key, known)).join('\n')
        : undefined,
  })
}

function explainKey(key: string, known: readonly string[]): string {
  const nearest = nearestName(key, known)
  if (nearest !== undefined) return `unknown key; did you mean ${JSON.stringify(nearest)}?`
  return `unknown key; known here: ${known.join(', ')}`
}
