import { toError } from '@pipe-backup/sink'
import { execa } from 'execa'
import { RcloneFailure } from './rclone-errors.ts'

export interface RcloneOptions {
  readonly signal?: AbortSignal | undefined
  /** What it reads. A piece's memory may be used again when the next is asked for. */
  readonly input?: string | AsyncIterable<Uint8Array> | undefined
}

/** What is tried again is tried by who asked; within a request rclone takes care of connections. */
const ONCE = ['--retries', '1', '--low-level-retries', '3', '--log-level', 'ERROR', '--ask-password=false']
/** Of what it complains of, in characters. */
const MAX_SAID = 16 * 1024

/** Runs rclone, with its own configuration and environment. */
export class RcloneProgram {
  readonly #program: string
  readonly #options: readonly string[]

  constructor(program: string, config: string | undefined) {
    this.#program = program
    this.#options = config === undefined ? ONCE : [...ONCE, '--config', config]
  }

  /** @returns what it prints @throws RcloneFailure; the signal's reason */
  async run(args: readonly string[], options: RcloneOptions): Promise<string> {
    const pieces: Buffer[] = []
    for await (const piece of this.output(args, options)) pieces.push(Buffer.from(piece))
    return Buffer.concat(pieces).toString()
  }

  /** What it prints, line by line. @throws as `run` */
  async *lines(args: readonly string[], options: RcloneOptions): AsyncGenerator<string> {
    let rest = ''
    const decoder = new TextDecoder()
    for await (const piece of this.output(args, options)) {
      const lines = (rest + decoder.decode(piece, { stream: true })).split('\n')
      rest = lines.pop() ?? ''
      yield* lines
    }
    if (rest !== '') yield rest
  }

  /** What it prints, in pieces; it is ended with who reads it. @throws as `run` */
  async *output(args: readonly string[], { signal, input }: RcloneOptions): AsyncGenerator<Uint8Array> {
    signal?.throwIfAborted()
    const left = new AbortController()
    const running = execa(this.#program, [...this.#options, ...args], {
      stdin: input === undefined ? 'ignore' : 'pipe',
      buffer: false,
      cancelSignal: signal ? AbortSignal.any([signal, left.signal]) : left.signal,
      reject: false,
    })
    const { nodeChildProcess: child } = running
    let said = ''
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-MAX_SAID)
    })
    let reading: Error | undefined
    const feeding = feed(child.stdin, input).catch((error: unknown) => {
      reading = toError(error)
      // Never an end that looks like one of the bytes.
      left.abort()
    })
    try {
      for await (const piece of child.stdout ?? []) yield piece as Uint8Array
      const [ran] = await Promise.all([running, feeding])
      signal?.throwIfAborted()
      if (reading) throw reading
      if (ran.failed) throw new RcloneFailure(ran.exitCode, said, ran.originalMessage)
    } finally {
      left.abort()
    }
  }
}

async function feed(
  stdin: NodeJS.WritableStream | null,
  input: string | AsyncIterable<Uint8Array> | undefined,
): Promise<void> {
  if (!stdin || input === undefined) return
  let isGone = false
  // Its end is reported by its exit code.
  stdin.on('error', () => {
    isGone = true
  })
  const all = typeof input === 'string' ? [Buffer.from(input)] : input
  for await (const piece of all) {
    if (isGone) return
    await new Promise<void>((resolve) => stdin.write(piece, () => resolve()))
  }
  stdin.end()
}
