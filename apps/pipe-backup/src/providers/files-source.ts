import { z } from 'zod'
import { filePath, text } from '../config/values.ts'
import { type SourceType, sourceType } from './source-type.ts'

export const files: SourceType = sourceType(
  'files',
  'Files and directory trees',
  {
    paths: z.array(filePath).min(1, 'must name at least one path').describe('Files or directories'),
    exclude: z
      .array(
        text.refine(
          (pattern) => pattern.startsWith('#') || !/(?:^!?|\/)\.\.?(?:\/|$)/m.test(pattern),
          'can match nothing with . or .. in it: patterns are matched below each of paths, such as /cache',
        ),
      )
      .default([])
      .describe(
        'Patterns in the syntax of .gitignore, against the path below each of `paths`; one that begins with one of them, or with ~/, against the whole path',
      ),
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
    allowEmpty: z
      .boolean()
      .default(false)
      .describe(
        'One of `paths` may be empty where it had entries before, or have nothing mounted on it any more; else its disk is taken to be missing',
      ),
  },
  async ({ paths, exclude, ...options }, { name, path: resolve, surroundings }) => {
    const { filesSource } = await import('@pipe-backup/source-files')
    return filesSource({
      ...options,
      name,
      paths: paths.map((path) => resolve(path)),
      exclude: exclude.map((pattern) => withHome(pattern, resolve('~'))),
      leaveOut: surroundings?.leaveOut,
      memory: surroundings?.memoryOf(name),
      onNote: (note) => surroundings?.onNote(name, note),
    })
  },
  async ({ paths, exclude, allowEmpty }, { name, path: resolve, surroundings }) => {
    const { checkFiles } = await import('../doctor/check-files.ts')
    return await checkFiles({
      paths: paths.map((path) => resolve(path)),
      exclude: exclude.map((pattern) => withHome(pattern, resolve('~'))),
      allowEmpty,
      seen: await surroundings?.memoryOf(name).read(),
    })
  },
)

/** A pattern is no path: nothing but its `~/` is resolved. */
function withHome(pattern: string, home: string): string {
  return pattern.replace(/^(!?)~\//, (_, negation: string) => `${negation}${home}/`)
}
