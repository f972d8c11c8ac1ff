import { isUtf8 } from 'node:buffer'
import { closeSync, lstatSync, openSync, rmSync } from 'node:fs'
import { SourceError } from '@pipe-backup/source'
import { joined, keyOf } from './path-key.ts'
import { stagedName } from './staged-names.ts'

/** Whether the file system of a directory takes names for one that differ in upper and lower case: exFAT, NTFS and VFAT do. Makes a file for it, and removes it. */
export function foldsNames(directory: Buffer): boolean {
  const probe = stagedName(Buffer.concat([directory, Buffer.from('/')]))
  const other = Buffer.concat([
    directory,
    Buffer.from(probe.toString('latin1', directory.length).toUpperCase()),
  ])
  try {
    const file = openSync(probe, 'wx', 0o600)
    try {
      closeSync(file)
      return lstatSync(other, { throwIfNoEntry: false }) !== undefined
    } finally {
      rmSync(probe)
    }
  } catch {
    // What keeps it from being written in is reported by what is to be written.
    return false
  }
}

interface Directory {
  readonly name: string
  /** What was made in it, by its folded name. */
  readonly names: Map<string, string>
}

/** What was made in the directories on the way to an entry, where the file system folds names: the second of two names would take the place of the first. */
export class FoldedNames {
  readonly #open: Directory[] = [{ name: '', names: new Map() }]

  /** Takes a path, in order. @throws SourceError where it, or what it is in, has the name of something else */
  claim(components: readonly Buffer[]): void {
    let depth = 1
    for (const component of components) {
      const name = keyOf(component)
      const folded = fold(component)
      const names = this.#open[depth - 1]?.names
      const first = names?.get(folded) ?? name
      if (first !== name) {
        this.#open.length = depth
        const there = joined([...components.slice(0, depth - 1), Buffer.from(first, 'latin1')]).toString()
        throw new SourceError(
          'unreadable',
          `${there} has its name: this file system takes upper and lower case for the same`,
          {
            hint: 'Restore to another file system, or as a tar.',
          },
        )
      }
      names?.set(folded, name)
      if (this.#open[depth]?.name !== name) {
        this.#open.length = depth
        this.#open.push({ name, names: new Map() })
      }
      depth++
    }
  }
}

function fold(component: Buffer): string {
  const text = component.toString(isUtf8(component) ? 'utf8' : 'latin1')
  return text.normalize('NFC').toUpperCase().toLowerCase()
}
