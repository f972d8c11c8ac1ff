import { z } from 'zod'
import { filePath } from '../config/values.ts'
import type { Finding } from '../doctor/finding.ts'
import { formatBytes, plural } from '../terminal/quantities.ts'
import { type SourceContext, type SourceType, sourceType } from './source-type.ts'

export const sqlite: SourceType = sourceType(
  'sqlite',
  'SQLite databases, each copied as it is at one moment while programs write to it',
  {
    path: filePath.optional().describe('File of the database'),
    paths: z
      .array(filePath)
      .min(1, 'must name at least one database')
      .optional()
      .describe('Files of the databases, where there are several'),
  },
  async (options, context) => {
    const { sqliteSource } = await import('@pipe-backup/source-sqlite')
    return sqliteSource({ name: context.name, paths: pathsOf(options, context) })
  },
  async (options, context) => {
    const { checkSqlite } = await import('@pipe-backup/source-sqlite')
    const found = await checkSqlite({ paths: pathsOf(options, context) })
    const findings: Finding[] = [
      { state: 'ok', message: `${plural(found.databases.length, 'database')} can be copied` },
      ...found.problems.map((message): Finding => ({ state: 'failure', message })),
    ]
    if (found.largestBytes <= found.freeBytes) return findings
    const room = `a copy takes ${formatBytes(found.largestBytes)}, and ${found.directory} has ${formatBytes(found.freeBytes)} free`
    return [...findings, { state: 'failure', message: room, hint: 'Set TMPDIR to a directory with room.' }]
  },
  undefined,
  ['path', 'paths'],
)

function pathsOf(
  { path, paths }: { readonly path?: string | undefined; readonly paths?: readonly string[] | undefined },
  context: SourceContext,
): string[] {
  return (paths ?? (path === undefined ? [] : [path])).map((one) => context.path(one))
}
