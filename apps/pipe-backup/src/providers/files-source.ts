import { z } from 'zod'
import { filePath, text } from '../config/values.ts'
import { type SourceType, sourceType } from './source-type.ts'

export const files: SourceType = sourceType(
  'files',
  'Files and directory trees',
  {
    paths: z.array(filePath).min(1, 'must name at least one path').describe('Files or directories'),
    exclude: z
      .array(text)
      .default([])
      .describe('Patterns in the syntax of .gitignore, against the path below each of `paths`'),
    settle: z
      .number()
      .int()
      .min(0)
      .max(100)
      .default(0)
      .describe('How often the tree may be read again, at most, until nothing changed meanwhile'),
    oneFileSystem: z.boolean().default(false).describe('Do not enter directories on other devices'),
    excludeCaches: z
      .boolean()
      .default(true)
      .describe('Leave out what is in a directory with a valid CACHEDIR.TAG'),
  },
  async ({ paths, ...options }, context) => {
    const { filesSource } = await import('@pipe-backup/source-files')
    return filesSource({ ...options, name: context.name, paths: paths.map((path) => context.path(path)) })
  },
  async ({ paths }, context) => {
    const { checkReadable } = await import('../doctor/check-paths.ts')
    return await Promise.all(paths.map((path) => checkReadable(context.path(path))))
  },
)
