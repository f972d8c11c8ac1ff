import type { ObjectInfo } from './sink.ts'

/** How the folders of a server are listed. */
export interface FolderWalk<T> {
  /** So many are asked for ahead of who reads. */
  readonly ahead: number
  /** Asks for what is in a folder; a failure is seen by `read`. */
  readonly ask: (folder: string) => T
  /** What is in a folder, once it has been answered. @param enter - to be called with each folder in it */
  readonly read: (folder: string, answer: T, enter: (folder: string) => void) => AsyncIterable<ObjectInfo>
  /** Nobody will read this answer. */
  readonly drop: (answer: T) => void
}

/** All objects below a folder, one folder after the other, in no order. Packs are in 256 folders, each of which takes a server's answer or several. */
export async function* walkFolders<T>(top: string, walk: FolderWalk<T>): AsyncGenerator<ObjectInfo> {
  const waiting = [top]
  const asked: { readonly folder: string; readonly answer: T }[] = []
  const enter = (folder: string): void => void waiting.push(folder)
  try {
    for (;;) {
      while (asked.length < walk.ahead) {
        const folder = waiting.pop()
        if (folder === undefined) break
        asked.push({ folder, answer: walk.ask(folder) })
      }
      const next = asked.shift()
      if (!next) return
      yield* walk.read(next.folder, next.answer, enter)
    }
  } finally {
    for (const { answer } of asked) walk.drop(answer)
  }
}
