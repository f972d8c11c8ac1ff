import { dirname } from 'node:path'

/** Asks about a directory, or, where that is not there yet, about the nearest above it that is. @throws as `ask` does for that one */
export async function askNearest<T>(directory: string, ask: (directory: string) => Promise<T>): Promise<T> {
  try {
    return await ask(directory)
  } catch (error) {
    const above = dirname(directory)
    const isAbsent = error instanceof Error && 'code' in error && error.code === 'ENOENT'
    if (!isAbsent || above === directory) throw error
    return await askNearest(above, ask)
  }
}
