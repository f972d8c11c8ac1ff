import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'
import { killedWithUs } from './cleanup-watchdog.ts'
import { onExit } from './on-exit.ts'

/** A program that ended badly. */
export class ProgramFailure extends Error {
  override readonly name = 'ProgramFailure'
  readonly program: string
  /** 127 when it could not be started, 20 when a signal ended it. */
  readonly exitCode: number
  /** What it said on stderr, its last part. */
  readonly said: string

  constructor(program: string, exitCode: number, said: string) {
    super(`${program} ended with ${exitCode}: ${said}`)
    this.program = program
    this.exitCode = exitCode
    this.said = said
  }
}

export interface ProgramOptions {
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  /** Written to its stdin. */
  readonly input?: string | undefined
  readonly signal?: AbortSignal | undefined
  /** Each line of stdout; what ends in a carriage return is a line too. */
  readonly onLine?: ((line: string) => void) | undefined
  /** Anything was said: something has moved. */
  readonly onHeard?: (() => void) | undefined
}

const KILLED = 20
export const NOT_STARTED = 127
const SAID_CHARACTERS = 8000
const KILL_MS = 2000
/** What was said before the end is read; a child of it that lives on (ssh's master) may hold the pipe open. */
const DRAIN_MS = 500

/**
 * Runs a program in a process group of its own, which is ended as a whole when the signal fires.
 * @throws ProgramFailure; the signal's reason, once the program has ended
 */
export async function runProgram(
  program: string,
  args: readonly string[],
  options: ProgramOptions,
): Promise<void> {
  const { cwd, env, input = '', signal, onLine, onHeard } = options
  signal?.throwIfAborted()
  const child = execa(program, args, {
    cwd,
    env,
    input,
    extendEnv: false,
    detached: true,
    cleanup: false,
    buffer: false,
    reject: false,
    stripFinalNewline: false,
  })
  const kill = (name: NodeJS.Signals): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, name)
    } catch {
      // It has ended by itself.
    }
  }
  let timer: NodeJS.Timeout | undefined
  const cut = () => {
    kill('SIGTERM')
    timer = setTimeout(kill, KILL_MS, 'SIGKILL')
  }
  const notOnExit = onExit(() => kill('SIGKILL'))
  const ended = child.pid === undefined ? undefined : killedWithUs(child.pid)
  signal?.addEventListener('abort', cut, { once: true })
  let said = ''
  const reading = Promise.allSettled([
    readLines(child.stdout, (line) => onLine?.(line), onHeard),
    readText(child.stderr, (text) => {
      said = (said + text).slice(-SAID_CHARACTERS)
      onHeard?.()
    }),
  ])
  try {
    const exitCode = await Promise.race([
      new Promise<number>((resolve) =>
        child.nodeChildProcess.once('exit', (code) => resolve(code ?? KILLED)),
      ),
      child.then((result) => {
        if (result.exitCode === undefined && result.signal === undefined) said ||= result.shortMessage ?? ''
        return result.exitCode ?? NOT_STARTED
      }),
    ])
    await Promise.race([reading, sleep(DRAIN_MS, undefined, { ref: false })])
    signal?.throwIfAborted()
    if (exitCode !== 0) throw new ProgramFailure(program, exitCode, said.trim())
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', cut)
    notOnExit()
    ended?.()
    child.stdout.destroy()
    child.stderr.destroy()
  }
}

async function readLines(
  stream: Readable,
  onLine: (line: string) => void,
  onHeard?: () => void,
): Promise<void> {
  let rest = ''
  for await (const text of stream.setEncoding('utf8') as AsyncIterable<string>) {
    const lines = (rest + text).split(/[\r\n]/)
    rest = lines.pop() ?? ''
    for (const line of lines) if (line !== '') onLine(line)
    onHeard?.()
  }
  if (rest !== '') onLine(rest)
}

async function readText(stream: Readable, onText: (text: string) => void): Promise<void> {
  for await (const text of stream.setEncoding('utf8') as AsyncIterable<string>) onText(text)
}
