import { SqlScanner } from './sql-scanner.ts'

const NEWLINE = 0x0a
/** What is held back while it may be a statement that names the database. The head of a trigger is as its author wrote it. */
const MAX_HELD_BYTES = 16 * 1024
/** How a line begins that may have to be rewritten, or that says how those behind it are to be read: ALTER, DELIMITER, CREATE, a comment. */
const FIRST_BYTES: ReadonlySet<number> = new Set(Buffer.from('ADC/-'))
const TRIGGER_HEAD =
  /^(?:\/\*!\d+ )?CREATE(?: OR REPLACE)?(?:\*\/)?\s+(?:\/\*!\d+ )?DEFINER=`(?:[^`]|``)*`(?:@`(?:[^`]|``)*`)?(?:\*\/)?\s+(?:\/\*!\d+ )?TRIGGER\s/

/**
 * Takes the database's name out of its dump while it streams through, so that it can be loaded into another one and never touches the
 * one that it is of: `ALTER DATABASE name CHARACTER SET …`, which goes around routines, triggers and events when the database had another character
 * set when they were made; the name in front of a trigger and its table, and of a sequence in a table or view. All else stays byte for byte: only what stands at the start of a
 * line and of a statement is looked at, so rows, bodies and strings are left alone.
 */
export class DumpRewriter {
  readonly #scanner = new SqlScanner()
  readonly #alter: string
  readonly #trigger: RegExp
  readonly #sequence: RegExp
  /** Whether the statement under way is one that may use a sequence. */
  #mayUseSequence = false
  #head: Uint8Array | undefined
  #held: Buffer | undefined

  /** @param head - what goes in front of the first statement */
  constructor(database: string, head: Uint8Array) {
    const name = Buffer.from(database).toString('latin1')
    this.#alter = `ALTER DATABASE ${quotedIn(name, '`')} CHARACTER SET `
    const forms = [quotedIn(name, '`'), quotedIn(name, '"'), name]
    const own = `(?:(?:${forms.map(literally).join('|')})\\s*\\.\\s*)?`
    const some = '(?:`(?:[^`]|``)*`|"(?:[^"]|"")*"|[^\\s.`"]+)'
    this.#trigger = new RegExp(
      `^((?:IF\\s+NOT\\s+EXISTS\\s+)?)${own}(${some}\\s+(?:BEFORE|AFTER)\\s+(?:INSERT|UPDATE|DELETE)\\s+ON\\s+)${own}(${some}\\s+FOR\\s+EACH\\s+ROW\\b)`,
      'i',
    )
    // Strings and names come first: what is in them is nobody's call.
    this.#sequence = new RegExp(
      `'(?:[^'\\\\]|\\\\.|'')*'|\`(?:[^\`]|\`\`)*\`|(\\b(?:next|last)val\\()${literally(quotedIn(name, '`'))}\\.`,
      'gs',
    )
    this.#head = head.length > 0 ? head : undefined
  }

  /** @returns what may be handed on, in order; parts of `piece` are good only until it is filled again */
  push(piece: Uint8Array): Uint8Array[] {
    const out: Uint8Array[] = []
    let from = 0
    let at = 0
    const flush = (): void => {
      if (at > from) out.push(piece.subarray(from, at))
    }
    while (at < piece.length) {
      if (this.#held) {
        const newline = piece.indexOf(NEWLINE, at)
        const isLine = newline >= 0
        const end = Math.min(isLine ? newline + 1 : piece.length, at + MAX_HELD_BYTES)
        this.#held = Buffer.concat([this.#held, piece.subarray(at, end)])
        at = end
        from = end
        if (isLine || this.#held.length >= MAX_HELD_BYTES) this.#decide(out)
      } else if (this.#isLookedAt(piece[at])) {
        flush()
        this.#held = Buffer.alloc(0)
      } else {
        if (this.#head && this.#scanner.isLineStart) {
          flush()
          from = at
          this.#putHead(out)
        }
        at = this.#scanner.scan(piece, at)
      }
    }
    flush()
    return out
  }

  /** @returns what was held back */
  end(): Uint8Array[] {
    const out: Uint8Array[] = []
    if (this.#held) this.#decide(out, true)
    return out
  }

  #isLookedAt(first: number | undefined): boolean {
    const { isLineStart, isFresh } = this.#scanner
    if (isFresh) this.#mayUseSequence = false
    if (!isLineStart || first === undefined) return false
    return this.#mayUseSequence || ((isFresh || this.#head !== undefined) && FIRST_BYTES.has(first))
  }

  #putHead(out: Uint8Array[]): void {
    if (this.#head) out.push(this.#head)
    this.#head = undefined
  }

  #decide(out: Uint8Array[], isLast = false): void {
    const held = this.#held
    if (!held) return
    const text = held.toString('latin1')
    // MariaDB's own first line, and what is said about the dump, stay in front: the client looks for it there.
    if (!/^(?:--|\/\*M!999999)/.test(text)) this.#putHead(out)
    const isWhole = text.endsWith('\n')
    let written: string | undefined
    if (this.#scanner.isFresh) {
      const mayBeTrigger = TRIGGER_HEAD.exec(text)
      if (mayBeTrigger) {
        if (!isLast && held.length < MAX_HELD_BYTES && !/\bFOR\s+EACH\s+ROW\b/i.test(text)) return
        const [head] = mayBeTrigger
        written = head + text.slice(head.length).replace(this.#trigger, '$1$2$3')
      } else if (text.startsWith(this.#alter))
        written = `ALTER DATABASE CHARACTER SET ${text.slice(this.#alter.length)}`
      else if (isWhole) this.#readSetting(text)
      this.#mayUseSequence = /^(?:CREATE TABLE |\/\*!50001 CREATE )/.test(text)
    } else if (this.#mayUseSequence && isWhole)
      written = text.replace(this.#sequence, (found, call?: string) => call ?? found)
    this.#held = undefined
    out.push(written === undefined ? held : Buffer.from(written, 'latin1'))
    const isComment = this.#scanner.isFresh && isWhole && /^--(?:\s|$)/.test(text)
    const isDelimiter = this.#scanner.isFresh && isWhole && text.startsWith('DELIMITER ')
    if (!isComment && !isDelimiter) for (let at = 0; at < held.length; ) at = this.#scanner.scan(held, at)
  }

  /** Where a statement ends, and whether a backslash escapes in it, as the dump sets it for the client that loads it. */
  #readSetting(line: string): void {
    const [, delimiter] = /^DELIMITER (;+)\s*$/.exec(line) ?? []
    if (delimiter !== undefined) this.#scanner.delimiterLength = delimiter.length
    const [, mode] = /^\/\*!50003 SET sql_mode\s*= (.*)/.exec(line) ?? []
    if (mode !== undefined) this.#scanner.escapes = !mode.includes('NO_BACKSLASH_ESCAPES')
  }
}

function quotedIn(name: string, quote: string): string {
  return quote + name.replaceAll(quote, quote + quote) + quote
}

/** Text as a pattern that stands for itself. */
function literally(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')
}
