import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { MAIN } from './sandbox.ts'

/** Whoever waits longer for a question waits for one that does not come. */
const PATIENCE_MS = 60_000

/** The built command at a terminal of 80 columns, which `script` makes, and a person who reads what is shown before typing. */
export class PseudoTerminal implements AsyncDisposable {
  readonly #child: ChildProcessWithoutNullStreams
  readonly #closed: Promise<unknown>
  #shown = ''
  #seen = 0

  constructor(args: readonly string[], options: { cwd: string; env: Readonly<Record<string, string>> }) {
    const words = [process.execPath, MAIN, ...args].map((word) => `'${word}'`).join(' ')
    this.#child = spawn('script', ['-qefc', `stty cols 80 rows 24; exec ${words}`, '/dev/null'], {
      ...options,
      env: { ...process.env, ...options.env },
    })
    this.#closed = once(this.#child, 'close')
    this.#child.stdout.setEncoding('utf8')
    this.#child.stdout.on('data', (text: string) => {
      this.#shown += text
    })
  }

  /** All that was shown so far. */
  get shown(): string {
    return this.#shown
  }

  /**
   * Waits until one of the texts is shown behind the last one that was waited for.
   * @returns which @throws Error with all that was shown, when none comes
   */
  async see<Text extends string>(...texts: readonly Text[]): Promise<Text> {
    for (const end = Date.now() + PATIENCE_MS; ; await sleep(20)) {
      for (const text of texts) {
        const at = this.#shown.indexOf(text, this.#seen)
        if (at < 0) continue
        this.#seen = at + text.length
        return text
      }
      if (Date.now() > end || this.#child.exitCode !== null)
        throw new Error(`"${texts.join('" or "')}" was not shown, but:\n${this.#shown}`)
    }
  }

  /** Waits for a question, and answers it with a line. */
  async answer(question: string, line: string): Promise<void> {
    await this.see(question)
    this.type(`${line}\r`)
  }

  /** Presses keys. */
  type(keys: string): void {
    this.#child.stdin.write(keys)
  }

  /** Waits for the command to end. @returns its exit code */
  async end(): Promise<number | null> {
    await this.#closed
    return this.#child.exitCode
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill()
    await this.#closed
  }
}
