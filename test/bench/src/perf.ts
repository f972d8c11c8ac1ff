import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { execa } from 'execa'
import type { Command } from './measure.ts'

/** What a function has taken of the processors, on threads of one kind. */
export interface Hot {
  readonly seconds: number
  /** What the kernel calls the thread: `MainThread`, `WorkerThread`, `V8Worker`, `libuv-worker`. */
  readonly thread: string
  /** A program or library; `[kernel…]` or `[JIT]…` else. */
  readonly object: string
  readonly symbol: string
}

/** Not a round number, so that nothing that happens at regular times is always, or never, met. */
const SAMPLES_PER_SECOND = 499

/** Runs a command of Node.js under perf. @throws ExecaError when it fails, or perf is not allowed to look (see perf_event_paranoid) */
export async function record({ file, args, ...options }: Command, work: string): Promise<readonly Hot[]> {
  const [data, pid] = [join(work, 'perf.data'), join(work, 'pid')]
  // Functions that V8 compiles have names in a file that perf looks for by the process's number.
  const script = ['-c', 'echo $$ > "$0"; exec "$@"', pid, file, '--perf-basic-prof', ...args]
  const flags = ['--quiet', '--freq', String(SAMPLES_PER_SECOND), '--event', 'cpu-clock', '--output', data]
  await execa('perf', ['record', ...flags, '--', 'sh', ...script], { ...options, stdin: 'ignore' })
  const fields = ['--fields', 'period,comm,dso,symbol', '--field-separator', '|']
  const { stdout } = await execa('perf', ['report', '--input', data, '--stdio', ...fields])
  rmSync(`/tmp/perf-${readFileSync(pid, 'utf8').trim()}.map`, { force: true })
  return stdout.split('\n').flatMap((line) => {
    const [period = '', thread = '', object = '', ...symbol] = line.split('|').map((field) => field.trim())
    if (!/^\d+$/.test(period)) return []
    // `[.] ` or `[k] ` is before the name.
    return [{ seconds: Number(period) / 1e9, thread, object, symbol: symbol.join('|').slice(4) }]
  })
}
