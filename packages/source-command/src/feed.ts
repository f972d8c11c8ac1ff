import { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { SourceError } from '@pipe-backup/source'
import { execa } from 'execa'
import type { CommandOptions } from './command.ts'

/** Where a program that is fed finds its secret. */
export const SECRET_FILE = '/dev/fd/5'

export interface FeedOptions extends Pick<CommandOptions, 'env' | 'ignoreComplaint' | 'signal'> {
  /** What the program gets on standard input. */
  readonly input: AsyncIterable<Uint8Array>
  /** What it can read, once, from `SECRET_FILE`. */
  readonly secret?: Uint8Array | undefined
}

/** A program can open a pipe by name, but not the socket that Node gives a child: the shell and `cat` make one. */
const WITH_SECRET = '{ cat <&3 | exec "$0" "$@" 5<&0 0<&4; } 4<&0'

/**
 * Runs a program that reads its standard input to the end.
 * @returns what it wrote, for programs that write little
 * @throws SourceError `command-failed`, with the last line of its standard error; what `input` throws; the signal's reason
 */
export async function feed(
  run: readonly string[],
  { input, secret, env, ignoreComplaint, signal }: FeedOptions,
): Promise<string> {
  const argv = secret === undefined ? run : ['sh', '-c', WITH_SECRET, ...run]
  const [file = '', ...args] = argv
  const child = execa(file, args, {
    stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
    reject: false,
    ...(env && { env: { ...env } }),
    ...(signal && { cancelSignal: signal }),
  })
  const descriptor = child.stdio[3]
  if (descriptor instanceof Writable) descriptor.end(secret)
  // A program that gives up closes its end: what it says of it counts, not the broken pipe.
  const fed = await pipeline(input, child.stdin).then(
    () => undefined,
    (error: unknown) => error,
  )
  const ran = await child
  signal?.throwIfAborted()
  if (ran.failed) {
    const said = ran.stderr
      .trim()
      .split('\n')
      .findLast((line) => !ignoreComplaint?.test(line))
    throw new SourceError(
      'command-failed',
      `${run[0] ?? ''} could not load it: ${said || (ran.originalMessage ?? '')}`,
    )
  }
  if (fed instanceof Error) throw fed
  return ran.stdout.trim()
}
