/** One of several answers. */
export interface Choice<T> {
  readonly value: T
  readonly label: string
}

/** Asks a person. Every question rejects with an AbortError after Ctrl-C, and with a CommandError `cancelled` where the input ends. */
export interface Asker {
  /** Prints a paragraph, wrapped at the terminal's width. */
  say(text: string): void
  /** Asks for one line, without blanks at its ends. @param suggested - what an empty line means @returns '' for an empty line without that */
  line(question: string, suggested?: string): Promise<string>
  /** As `line`, and nothing that is typed is shown. */
  hidden(question: string): Promise<string>
  /** Asks for one of several, by its number, until there is one. @param suggested - what an empty line means. Default: the first */
  choose<T>(question: string, choices: readonly Choice<T>[], suggested?: T): Promise<T>
  confirm(question: string, suggested: boolean): Promise<boolean>
}

/** What an asker is made of: a line is all that differs between a terminal and a test. */
export interface LineSource {
  readonly print: (text: string) => void
  readonly columns: () => number
  /** @param prompt - printed before the answer */
  readonly read: (prompt: string, isHidden: boolean) => Promise<string>
}

/** Asks by printed lines and numbered lists alone: they need nothing of the terminal, and a screen reader reads them. */
export function createAsker({ print, columns, read }: LineSource): Asker {
  const say = (text: string): void => print(`${wrap(text, columns())}\n`)
  const line = async (question: string, suggested?: string): Promise<string> => {
    const shown = suggested === undefined || suggested === '' ? '' : ` [${suggested}]`
    const answer = (await read(`${question}${shown}: `, false)).trim()
    return answer === '' ? (suggested ?? '') : answer
  }
  return {
    say,
    line,
    hidden: async (question) => await read(`${question} (hidden): `, true),
    choose: async <T>(question: string, choices: readonly Choice<T>[], suggested?: T): Promise<T> => {
      say(question)
      const at = suggested === undefined ? 0 : choices.findIndex(({ value }) => value === suggested)
      for (const [index, { label }] of choices.entries())
        print(`${wrap(`${String(index + 1).padStart(3)}  ${label}`, columns(), 5)}\n`)
      for (;;) {
        const answer = await line('Number', String(Math.max(0, at) + 1))
        const chosen = /^\d{1,3}$/.test(answer) ? choices[Number(answer) - 1] : undefined
        if (chosen !== undefined) return chosen.value
        say(`Please type a number from 1 to ${choices.length}.`)
      }
    },
    confirm: async (question, suggested) => {
      for (;;) {
        const answer = (await line(`${question} (yes or no)`, suggested ? 'yes' : 'no')).toLowerCase()
        if (/^y(es)?$/.test(answer)) return true
        if (/^no?$/.test(answer)) return false
        say('Please type yes or no.')
      }
    },
  }
}

/** Breaks lines at blanks, so that none is longer than `columns`; a longer word is left as it is. @param indent - of all lines but the first of each. Default: as that */
export function wrap(text: string, columns: number, indent?: number): string {
  const width = Math.max(20, columns - 1)
  return text
    .split('\n')
    .map((paragraph) => {
      const lines: string[] = []
      let current = /^ */.exec(paragraph)?.[0] ?? ''
      const hanging = ' '.repeat(indent ?? current.length)
      let isFresh = true
      for (const word of paragraph.trim().split(/ (?! )/)) {
        if (!isFresh && current.length + 1 + word.length > width) {
          lines.push(current)
          current = hanging
          isFresh = true
        }
        current += isFresh ? word : ` ${word}`
        isFresh = false
      }
      return [...lines, current].join('\n')
    })
    .join('\n')
}
