import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { CliContext } from '../cli-context.ts'
import { loadConfig } from '../config/load-config.ts'

/** Says to a process that another one waits for it. */
const SUPERVISED = 'PIPE_BACKUP_SUPERVISED'
/** Each file system that hangs keeps a thread or two; of four, which are libuv's default, the sinks would soon have none left. */
const THREADS = '64'
/** A process that says that it is done gets so long to end. */
const END_MS = 2000

/**
 * Runs this very command in another process, where a file system of the sources may hang: the kernel lets no process end
 * that has a request at a program which does not answer it, not even by SIGKILL. That process is then left behind, with its thread,
 * and this one ends.
 * @returns the exit code; `undefined` when the command is to be run here
 */
export async function supervise({ machine, options, signal }: CliContext): Promise<number | undefined> {
  if (process.env[SUPERVISED] !== undefined) {
    delete process.env[SUPERVISED]
    return undefined
  }
  const { mayHang } = await import('@pipe-backup/source-files')
  if (!(await mayHang(['/']))) return undefined
  // What it warns of is said by the process that runs the command.
  const config = await loadConfig(options.config, machine)
  const paths = config.sources.flatMap((source) => {
    const of: unknown = source.type === 'files' && 'paths' in source ? source.paths : []
    return Array.isArray(of) ? of.filter((path: unknown) => typeof path === 'string') : []
  })
  if (!(await mayHang(paths.map((path) => config.path(path))))) return undefined

  // Left behind, it must not hold what reads the output: only a terminal is handed on as it is.
  const through = (stream: NodeJS.WriteStream): 'inherit' | 'pipe' => (stream.isTTY ? 'inherit' : 'pipe')
  const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
    stdio: ['inherit', through(process.stdout), through(process.stderr), 'ipc'],
    env: { UV_THREADPOOL_SIZE: THREADS, ...process.env, [SUPERVISED]: '1' },
  })
  child.stdout?.pipe(process.stdout, { end: false })
  child.stderr?.pipe(process.stderr, { end: false })
  const stop = (): void => void child.kill('SIGTERM')
  signal.addEventListener('abort', stop, { once: true })
  try {
    return await endOf(child)
  } finally {
    signal.removeEventListener('abort', stop)
    if (child.connected) child.disconnect()
    child.unref()
    child.stdout?.destroy()
    child.stderr?.destroy()
  }
}

async function endOf(child: ChildProcess): Promise<number> {
  const closed = once(child, 'close').then(([code]) => (typeof code === 'number' ? code : 1))
  const reported = once(child, 'message').then(async ([code]) => {
    await sleep(END_MS, undefined, { ref: false })
    return Number(code)
  })
  // It closes its channel when it ends by itself: then nothing more comes.
  reported.catch(() => undefined)
  return await Promise.race([closed, reported])
}
