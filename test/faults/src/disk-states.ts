import { createHash } from 'node:crypto'
import { mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { DiskCall } from './disk-calls.ts'
import { type Change, DiskModel, type DiskNode } from './disk-model.ts'

/** What a disk holds after a power cut: by path, below the directory. */
export type DiskState = ReadonlyMap<string, StateEntry>

export interface StateEntry {
  readonly kind: DiskNode['kind']
  /** Of a file its bytes, of a link what it points to. */
  readonly bytes: Buffer
  readonly mtimeNs: bigint
}

/** What became of a change that nobody has called fsync for. `zeros`: the length is there, and the bytes are not. */
type Fate = 'kept' | 'lost' | 'zeros' | 'half'

export interface PowerCut {
  /** So many calls had been answered. */
  readonly calls: number
  /** What was undone, in words. */
  readonly how: string
  readonly state: DiskState
}

/**
 * Every state that a power cut may leave behind a program, each once.
 * @param root - the directory that the calls speak of @param copy - of it, from before
 */
export function* powerCuts(root: string, copy: string, calls: readonly DiskCall[]): Generator<PowerCut> {
  const seen = new Set<string>()
  // All that a model can't take back is in it: each cut has one of its own.
  for (let cut = 0; cut <= calls.length; cut++) {
    const base = new DiskModel(root, copy)
    const before = namesOf(base.top)
    for (const call of calls.slice(0, cut)) base.apply(call)
    for (const [how, fateOf] of survivals(base.changes)) {
      const state = stateOf(before, base, fateOf)
      const name = hashOf(state)
      if (seen.has(name)) continue
      seen.add(name)
      yield { calls: cut, how, state }
    }
  }
}

function* survivals(changes: readonly Change[]): Generator<[how: string, fateOf: (change: Change) => Fate]> {
  const isName = ({ type }: Change) => type === 'entry'
  yield ['nothing but what was synced is there', () => 'lost']
  yield ['all is there', () => 'kept']
  yield ['names are there, bytes are not', (change) => (isName(change) ? 'kept' : 'lost')]
  yield [
    'names, lengths and times are there, bytes are not',
    (change) => (change.type === 'write' ? 'zeros' : 'kept'),
  ]
  yield ['names are there, and half of each write', (change) => (change.type === 'write' ? 'half' : 'kept')]
  const directories = new Set<DiskNode>()
  for (const change of changes)
    if (change.type === 'entry' && !change.isDurable)
      for (const { directory } of change.entries) directories.add(directory)
  const isIn = (change: Change, one: DiskNode) =>
    change.type === 'entry' && change.entries.some(({ directory }) => directory === one)
  for (const one of directories) {
    yield [`names in directory ${one.id} are lost`, (change) => (isIn(change, one) ? 'lost' : 'kept')]
    yield [
      `of the names, those in directory ${one.id} are there`,
      (change) => (isName(change) && !isIn(change, one) ? 'lost' : 'kept'),
    ]
  }
}

type Tree = ReadonlyMap<number, ReadonlyMap<string, DiskNode>>

/** The names in each directory, before the program began. */
function namesOf(top: DiskNode): Tree {
  const tree = new Map<number, ReadonlyMap<string, DiskNode>>()
  const add = (node: DiskNode): void => {
    tree.set(node.id, new Map(node.entries))
    for (const below of node.entries.values()) add(below)
  }
  add(top)
  return tree
}

function stateOf(before: Tree, { changes, top }: DiskModel, fateOf: (change: Change) => Fate): DiskState {
  const names = new Map([...before].map(([id, entries]) => [id, new Map(entries)]))
  const contents = new Map<DiskNode, { bytes: Buffer; mtimeNs: bigint }>()
  const contentOf = (node: DiskNode) => {
    const known = contents.get(node) ?? { bytes: node.bytes, mtimeNs: node.mtimeNs }
    contents.set(node, known)
    return known
  }
  for (const change of changes) {
    const fate = change.isDurable ? 'kept' : fateOf(change)
    if (fate === 'lost') continue
    if (change.type === 'entry') {
      for (const { directory, name, node } of change.entries) {
        const entries = names.get(directory.id) ?? new Map<string, DiskNode>()
        names.set(directory.id, entries)
        if (node) entries.set(name, node)
        else entries.delete(name)
      }
      continue
    }
    const content = contentOf(change.node)
    if (change.type === 'times') content.mtimeNs = change.mtimeNs
    else if (change.type === 'truncate') content.bytes = resized(content.bytes, change.size)
    else content.bytes = written(content.bytes, change.at, change.bytes, fate)
  }
  const state = new Map<string, StateEntry>()
  const add = (node: DiskNode, path: string): void => {
    state.set(path, { kind: node.kind, ...contentOf(node) })
    for (const [name, below] of names.get(node.id) ?? []) add(below, join(path, name))
  }
  add(top, '.')
  return state
}

function resized(bytes: Buffer, size: number): Buffer {
  return size <= bytes.length ? bytes.subarray(0, size) : Buffer.concat([bytes], size)
}

function written(old: Buffer, at: number, bytes: Buffer, fate: Fate): Buffer {
  const some = fate === 'half' ? bytes.subarray(0, bytes.length >> 1) : bytes
  const fresh = Buffer.from(resized(old, Math.max(old.length, at + some.length)))
  if (fate === 'zeros') fresh.fill(0, at, at + some.length)
  else some.copy(fresh, at)
  return fresh
}

function hashOf(state: DiskState): string {
  const hash = createHash('sha256')
  for (const [path, { kind, bytes, mtimeNs }] of [...state].sort(([a], [b]) => (a < b ? -1 : 1)))
    hash.update(`${path}\0${kind}\0${bytes.length}\0${mtimeNs}\0`).update(bytes)
  return hash.digest('hex')
}

/** Writes what a disk holds below a path of the state into a directory, which is made. */
export function writeState(state: DiskState, below: string, directory: string): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  for (const [path, { kind, bytes, mtimeNs }] of state) {
    if (!path.startsWith(`${below}/`)) continue
    const to = join(directory, path.slice(below.length + 1))
    if (kind === 'directory') mkdirSync(to, { recursive: true, mode: 0o700 })
    else if (kind === 'symlink') symlinkSync(bytes, to)
    else {
      writeFileSync(to, bytes, { mode: 0o600 })
      if (mtimeNs > 0n) utimesSync(to, Number(mtimeNs) / 1e9, Number(mtimeNs) / 1e9)
    }
  }
}
