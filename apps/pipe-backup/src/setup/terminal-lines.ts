import { on } from 'node:events'
import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import type { ReadStream } from 'node:tty'
import { CommandError } from '../command-error.ts'
import type { LineSource } from './asker.ts'

/** Terminals that don't say how wide they are say 0. */
const DEFAULT_COLUMNS = 80

/** What lines are read from, and where prompts and what is typed are shown. */
export interface LineTerminal {
  readonly input: ReadStream
  readonly output: NodeJS.WriteStream
  readonly signal: AbortSignal
  /** Called on Ctrl-C, which is a key and no signal while a line is edited. */
  readonly interrupt: () => void
}

/**
 * Reads lines from a terminal with node:readline, which edits lines on any terminal, also one that knows no escape sequences (`TERM=dumb`). Lines that
 * were typed or pasted ahead are the next answers. Nothing is kept in a history: secrets would be in it.
 */
export function terminalLines({ input, output, signal, interrupt }: LineTerminal): LineSource & Disposable {
  let isHidden = false
  const screen = Object.assign(
    new Writable({
      write: (piece: Uint8Array, _, done) => {
        if (isHidden) done()
        else output.write(piece, done)
      },
    }),
    { columns: output.columns || DEFAULT_COLUMNS },
  )
  const editor = createInterface({ input, output: screen, terminal: true, historySize: 0 })
  editor.on('SIGINT', interrupt)
  const lines = on(editor, 'line', { signal, close: ['close'] })
  return {
    print: (text) => void output.write(text),
    columns: () => output.columns || DEFAULT_COLUMNS,
    read: async (prompt, isSecret) => {
      editor.setPrompt(prompt)
      editor.prompt()
      // What was written before is not to be held back with what is typed from now on.
      if (isSecret) await new Promise<void>((resolve) => screen.write('', () => resolve()))
      isHidden = isSecret
      try {
        const next = (await lines.next()) as IteratorResult<[string], undefined>
        if (next.done === true)
          throw new CommandError('cancelled', 'the answers ended too early: nothing was written')
        return next.value[0]
      } finally {
        if (isSecret) output.write('\n')
        isHidden = false
      }
    },
    [Symbol.dispose]: () => editor.close(),
  }
}
