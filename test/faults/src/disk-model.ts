import { lstatSync, readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { DiskCall } from './disk-calls.ts'

/** A file, directory or link, whatever its names are. */
export interface DiskNode {
  readonly id: number
  readonly kind: 'file' | 'directory' | 'symlink'
  readonly bytes: Buffer
  readonly mtimeNs: bigint
  readonly entries: Map<string, DiskNode>
}

/** One change of what a disk holds; `isDurable` when a power cut can't undo it any more. */
export type Change = { isDurable: boolean; readonly ended: number } & (
  | {
      readonly type: 'entry'
      /** Which names come and go, in which directories: all of them or none. */
      readonly entries: readonly {
        readonly directory: DiskNode
        readonly name: string
        readonly node: DiskNode | undefined
      }[]
    }
  | { readonly type: 'write'; readonly node: DiskNode; readonly at: number; readonly bytes: Buffer }
  | { readonly type: 'truncate'; readonly node: DiskNode; readonly size: number }
  | { readonly type: 'times'; readonly node: DiskNode; readonly mtimeNs: bigint }
)

/**
 * What a program has asked a file system for, and what of it a power cut may undo: nothing that fsync was called for, of a file's bytes by the
 * file, of names by their directory. A rename is there or not, as a whole; either of its directories will do.
 */
export class DiskModel {
  readonly changes: Change[] = []
  readonly #root: string
  /** As the program sees it. */
  readonly top: DiskNode
  #ids = 0

  /** @param root - the directory that the calls speak of @param before - a copy of it from before, when all of it was on the disk */
  constructor(root: string, before: string) {
    this.#root = root
    this.top = this.#load(before)
  }

  /** What lies outside the directory is nobody's concern. */
  apply(call: DiskCall): void {
    const { ended } = call
    switch (call.type) {
      case 'open': {
        const node = this.#find(call.path)
        if (node && call.truncate) this.#change({ type: 'truncate', node, size: 0, isDurable: false, ended })
        if (!node && call.create) this.#name(call.path, this.#node('file'), ended)
        return
      }
      case 'write': {
        const node = this.#find(call.path)
        const { at, bytes } = call
        if (node) this.#change({ type: 'write', node, at, bytes, isDurable: false, ended })
        return
      }
      case 'truncate': {
        const node = this.#find(call.path)
        if (node) this.#change({ type: 'truncate', node, size: call.size, isDurable: false, ended })
        return
      }
      case 'times': {
        const node = this.#find(call.path)
        const { mtimeNs } = call
        if (node) this.#change({ type: 'times', node, mtimeNs, isDurable: false, ended })
        return
      }
      case 'mkdir':
        return this.#name(call.path, this.#node('directory'), ended)
      case 'symlink':
        return this.#name(call.path, this.#node('symlink', Buffer.from(call.target)), ended)
      case 'link': {
        const node = this.#find(call.from)
        if (node) this.#name(call.to, node, ended)
        return
      }
      case 'rename': {
        const node = this.#find(call.from)
        const [from, to] = [this.#find(dirname(call.from)), this.#find(dirname(call.to))]
        if (!node || !from || !to) return
        const entries = [
          { directory: from, name: basename(call.from), node: undefined },
          { directory: to, name: basename(call.to), node },
        ]
        return this.#change({ type: 'entry', entries, isDurable: false, ended })
      }
      case 'unlink':
      case 'rmdir':
        return this.#name(call.path, undefined, ended)
      case 'sync':
        return this.#sync(call.path, call.began)
    }
  }

  #sync(path: string, began: number): void {
    const synced = this.#find(path)
    for (const change of this.changes) {
      // What was asked for while it went on may have come too late for it.
      if (change.ended > began) continue
      const isOfIt =
        change.type === 'entry'
          ? change.entries.some(({ directory }) => directory === synced)
          : change.node === synced
      if (path === '/' || (synced && isOfIt)) change.isDurable = true
    }
  }

  #name(path: string, node: DiskNode | undefined, ended: number): void {
    const directory = this.#find(dirname(path))
    if (!directory) return
    const entries = [{ directory, name: basename(path), node }]
    this.#change({ type: 'entry', entries, isDurable: false, ended })
  }

  #change(change: Change): void {
    this.changes.push(change)
    if (change.type !== 'entry') return
    for (const { directory, name, node } of change.entries)
      if (node) directory.entries.set(name, node)
      else directory.entries.delete(name)
  }

  #find(path: string): DiskNode | undefined {
    if (path === this.#root) return this.top
    if (!path.startsWith(`${this.#root}/`)) return undefined
    let node: DiskNode | undefined = this.top
    for (const name of path.slice(this.#root.length + 1).split('/')) node = node?.entries.get(name)
    return node
  }

  #node(kind: DiskNode['kind'], bytes: Buffer = Buffer.alloc(0), mtimeNs: bigint = 0n): DiskNode {
    return { id: this.#ids++, kind, bytes, mtimeNs, entries: new Map() }
  }

  #load(path: string): DiskNode {
    const info = lstatSync(path, { bigint: true })
    if (!info.isDirectory()) return this.#node('file', readFileSync(path), info.mtimeNs)
    const directory = this.#node('directory')
    for (const name of readdirSync(path)) directory.entries.set(name, this.#load(join(path, name)))
    return directory
  }
}
