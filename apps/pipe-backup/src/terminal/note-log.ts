import type { FilesNote } from '@pipe-backup/source-files'
import { escapeControls } from './escape-bytes.ts'
import type { Output } from './output.ts'
import { plural } from './quantities.ts'

/** A home directory has hundreds of caches: their names alone would hide the rest. */
const MAX_CACHES = 10

/** Reports what is no problem. */
export interface NoteLog {
  readonly report: (source: string, note: FilesNote) => void
  /** Says how many were not reported. */
  readonly finish: () => void
}

/** One line for each note, once in a run, however often a source is walked. What was so in the last run is shown with --verbose alone. */
export function createNoteLog(output: Output): NoteLog {
  const reported = new Set<string>()
  let caches = 0
  return {
    report: (source, { kind, path, message, isKnown = false }) => {
      const key = `${kind} ${source} ${path}`
      if (reported.has(key)) return
      reported.add(key)
      const line = escapeControls(`${source}/${path}: ${message}`)
      switch (kind) {
        case 'left-out':
          return output.print(`${line}; left out`)
        case 'cache':
          if (isKnown || output.verbose) return output.note(line)
          if (++caches <= MAX_CACHES) output.print(line)
          return
        case 'unmatched':
          return output.note(escapeControls(`source "${source}": exclude "${path}": ${message}`))
        case 'shrunk':
          return output.warn(`source "${source}": only ${message}`)
      }
    },
    finish: () => {
      if (caches > MAX_CACHES)
        output.print(`and ${plural(caches - MAX_CACHES, 'cache')} more: --verbose shows all`)
    },
  }
}
