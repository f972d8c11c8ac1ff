import { type ResourceLimits, Worker } from 'node:worker_threads'

/**
 * Starts a thread of this program.
 * @param module - its file, without what its name ends with: that differs between source and built code
 * @returns the thread, and a promise that resolves when it has ended
 */
export function startThread(
  module: URL,
  workerData: unknown,
  resourceLimits: ResourceLimits,
): { readonly thread: Worker; readonly ended: Promise<void> } {
  // From source the worker needs the condition that finds the other packages' sources; built code does not.
  const fromSource = import.meta.url.endsWith('.ts')
  const compileCache = process.env['NODE_COMPILE_CACHE']
  const thread = new Worker(new URL(`${module.href}${fromSource ? '.ts' : '.js'}`), {
    workerData,
    execArgv: fromSource ? ['--conditions=pipe-backup-src', '--disable-warning=ExperimentalWarning'] : [],
    stdin: false,
    // Of the environment, where secrets may be, it gets what starts it faster.
    env: compileCache === undefined ? {} : { NODE_COMPILE_CACHE: compileCache },
    resourceLimits,
  })
  const ended = new Promise<void>((resolve) => {
    thread.once('exit', () => resolve())
  })
  return { thread, ended }
}
