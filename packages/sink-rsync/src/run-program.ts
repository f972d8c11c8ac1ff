import { createInterface } from 'node:readline'
import { execa } from 'execa'
import { cleanUp } from './cleanup-watchdog.ts'

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
  readonly env: Readonly<Record<string, string | undefined>>
  /** Written to its stdin. */
  readonly input?: string | undefined
  readonly signal?: AbortSignal | undefined
  /** Each line of stdout; what ends in a carriage return is a line too, and so is each report of progress. */
  readonly onLine?: ((line: string) => void) | undefined
}

/** Of rsync: some objects failed, or were not there any more. */
export const PARTIAL = 23
export const VANISHED = 24
const KILLED = 20
export const NOT_STARTED = 127
const SAID_CHARACTERS = 8000
/** Who says more than this on stderr is ended. */
const MAX_SAID_CHARACTERS = 4 * 1024 * 1024

/**
 * Runs a program in a process group of its own, which is killed as a whole when the signal fires: rsync's helpers may wait for a server
 * that says nothing, and would outlive it.
 * @throws ProgramFailure; the signal's reason, once the program has ended
 */
export async function runProgram(
  program: string,
  args: readonly string[],
  { cwd, env, input = '', signal, onLine }: ProgramOptions,
): Promise<void> {
  signal?.throwIfAborted()
  const child = execa(program, args, {
    cwd,
    env,
    input,
    extendEnv: false,
    detached: true,
    cleanup: false,
    reject: false,
    buffer: { stdout: false },
    maxBuffer: { stderr: MAX_SAID_CHARACTERS },
  })
  const { pid } = child
  const kill = (): void => {
    try {
      if (pid !== undefined) process.kill(-pid, 'SIGKILL')
    } catch {
      // It has ended by itself.
    }
  }
  if (pid !== undefined) cleanUp('group', pid)
  signal?.addEventListener('abort', kill, { once: true })
  try {
    for await (const line of createInterface({ input: child.stdout })) onLine?.(line)
    const { failed, exitCode, signal: killedBy, stderr, shortMessage = '' } = await child
    signal?.throwIfAborted()
    if (!failed) return
    if (exitCode === undefined && killedBy === undefined)
      throw new ProgramFailure(program, NOT_STARTED, shortMessage)
    throw new ProgramFailure(program, exitCode ?? KILLED, stderr.slice(-SAID_CHARACTERS).trim())
  } finally {
    signal?.removeEventListener('abort', kill)
    if (pid !== undefined) cleanUp('ended', pid)
  }
}
