import { readdir, readFile } from 'node:fs/promises'
import { extname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { CommandError } from '../command-error.ts'

/** One file of the page. */
export interface PageFile {
  readonly type: string
  readonly body: Uint8Array<ArrayBuffer>
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
}

/** Beside the bundled program. */
const DIRECTORY = fileURLToPath(new URL('../bundle/ui/', import.meta.url))

/** The files of the page by their paths, in memory: nothing else of the disk can be asked for. @throws CommandError `no-page` */
export async function readPage(): Promise<ReadonlyMap<string, PageFile>> {
  const found = await readdir(DIRECTORY, { recursive: true, withFileTypes: true }).catch(() => [])
  const files = new Map<string, PageFile>()
  for (const file of found) {
    const type = TYPES[extname(file.name)]
    if (!file.isFile() || type === undefined) continue
    const path = join(file.parentPath, file.name)
    files.set(`/${relative(DIRECTORY, path)}`, { type, body: new Uint8Array(await readFile(path)) })
  }
  const index = files.get('/index.html')
  if (index === undefined) throw new CommandError('no-page', 'the page is not there', 'Run: npm run build')
  files.delete('/index.html')
  return files.set('/', index)
}
