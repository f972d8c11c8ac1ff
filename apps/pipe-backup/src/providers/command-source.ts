import { z } from 'zod'
import { command as commandLine, entryPath, filePath, secret } from '../config/values.ts'
import { resolveProgram } from './resolve-program.ts'
import { type SourceType, sourceType } from './source-type.ts'

export const command: SourceType = sourceType(
  'command',
  "A program's standard output, as one file. A program that fails is a failed source",
  {
    run: commandLine,
    path: entryPath.describe('Path of the file below the source: crontab.txt'),
    cwd: filePath.optional().describe("Working directory. Default: the configuration file's"),
    env: z
      .record(z.string(), secret)
      .default({})
      .describe('Environment variables for the program, besides those that this one has'),
  },
  async ({ run, path, cwd, env }, context) => {
    const { commandSource } = await import('@pipe-backup/source-command')
    const variables = await Promise.all(
      Object.entries(env).map(async ([key, value]) => [key, await context.secret(value)] as const),
    )
    return commandSource({
      name: context.name,
      run: resolveProgram(run, context),
      path,
      cwd: context.path(cwd ?? '.'),
      env: Object.fromEntries(variables),
    })
  },
  async ({ run, env }, context) => {
    const { checkProgram } = await import('../doctor/check-paths.ts')
    for (const value of Object.values(env)) await context.secret(value)
    return [await checkProgram(resolveProgram(run, context)[0] ?? '')]
  },
)
