const NEWLINE = 0x0a
const STAR = 0x2a
const SLASH = 0x2f
const SEMICOLON = 0x3b
const BACKSLASH = 0x5c
const DASH = 0x2d
const HASH = 0x23
const BANG = 0x21
const LETTER_M = 0x4d
const QUOTES: ReadonlySet<number> = new Set(Buffer.from('\'"`'))
const BACKTICK = 0x60

/** Bytes outside of strings and comments that mean something; the others are passed over fast. */
const MEANS_SOMETHING = new Uint8Array(256)
for (const byte of Buffer.from('\n*/;-#\'"`')) MEANS_SOMETHING[byte] = 1

type Place = 'code' | 'string' | 'line-comment' | 'comment' | 'comment-start' | 'comment-start-m' | 'dashes'

/**
 * Knows of each byte of a dump whether a statement begins there, as the client program decides it that will load it: by strings, quoted names,
 * comments and the delimiter. What is in an executable comment is a statement's text like any other.
 */
export class SqlScanner {
  /** How many semicolons end a statement. */
  delimiterLength = 1
  /** Whether a backslash escapes in a string: not so in NO_BACKSLASH_ESCAPES. */
  escapes = true
  #place: Place = 'code'
  #quote = 0
  #isEscaped = false
  #previous = 0
  #semicolons = 0
  #isFresh = true
  #isLineStart = true

  /** Whether the next byte begins a line, outside of strings and comments. */
  get isLineStart(): boolean {
    return this.#isLineStart && this.#place === 'code'
  }

  /** Whether nothing of a statement was seen since the last one ended. */
  get isFresh(): boolean {
    return this.#isFresh
  }

  /** Goes on from `at`. @returns where the next line begins that is no part of a string or comment, or the end */
  scan(bytes: Uint8Array, at: number): number {
    const end = bytes.length
    while (at < end) {
      switch (this.#place) {
        case 'code': {
          const from = at
          while (at < end && MEANS_SOMETHING[bytes[at] ?? 0] === 0) at++
          if (at > from) this.#pass(bytes, from, at)
          if (at === end) return end
          const byte = bytes[at++] ?? 0
          this.#read(byte)
          if (byte === NEWLINE) return at
          break
        }
        case 'string':
          at = this.#throughString(bytes, at)
          break
        case 'line-comment': {
          const newline = bytes.indexOf(NEWLINE, at)
          if (newline < 0) return end
          this.#place = 'code'
          at = newline
          break
        }
        case 'comment': {
          const byte = bytes[at++] ?? 0
          if (byte === SLASH && this.#previous === STAR) this.#place = 'code'
          this.#previous = this.#place === 'code' ? 0 : byte
          break
        }
        case 'comment-start':
        case 'comment-start-m': {
          const byte = bytes[at] ?? 0
          const mayBeM = this.#place === 'comment-start' && byte === LETTER_M
          this.#place = byte === BANG ? 'code' : mayBeM ? 'comment-start-m' : 'comment'
          this.#previous = 0
          if (byte === BANG || mayBeM) at++
          break
        }
        case 'dashes': {
          const byte = bytes[at] ?? 0
          this.#place = byte <= 0x20 ? 'line-comment' : 'code'
          this.#previous = 0
          break
        }
      }
    }
    return end
  }

  #pass(bytes: Uint8Array, from: number, to: number): void {
    this.#previous = 0
    this.#semicolons = 0
    this.#isLineStart = false
    for (let at = from; this.#isFresh && at < to; at++) this.#isFresh = (bytes[at] ?? 0) <= 0x20
  }

  /** A byte that means something. */
  #read(byte: number): void {
    const previous = this.#previous
    this.#previous = byte
    this.#isLineStart = byte === NEWLINE
    if (byte !== SEMICOLON) this.#semicolons = 0
    if (byte === NEWLINE) return
    if (byte === SEMICOLON) {
      this.#isFresh = ++this.#semicolons === this.delimiterLength
      if (this.#isFresh) this.#semicolons = 0
      return
    }
    this.#isFresh = false
    if (QUOTES.has(byte)) {
      this.#place = 'string'
      this.#quote = byte
    } else if (byte === HASH) this.#place = 'line-comment'
    else if (byte === DASH && previous === DASH) this.#place = 'dashes'
    else if (byte === STAR && previous === SLASH) this.#place = 'comment-start'
  }

  #throughString(bytes: Uint8Array, at: number): number {
    const escape = this.escapes && this.#quote !== BACKTICK ? BACKSLASH : -1
    if (this.#isEscaped) {
      this.#isEscaped = false
      at++
    }
    for (; at < bytes.length; at++) {
      const byte = bytes[at]
      if (byte === this.#quote) {
        this.#place = 'code'
        this.#previous = 0
        return at + 1
      }
      if (byte !== escape) continue
      if (++at === bytes.length) this.#isEscaped = true
    }
    return bytes.length
  }
}
