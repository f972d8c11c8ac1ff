/**
 * Ends the process, also while a call hangs in a file system that does not answer: process.exit() would wait for its thread
 * for ever, as libuv joins its threads at the end. A new program in the place of this one ends them all.
 * @param code - default: `process.exitCode`
 */
export function endProcess(code: number = Number(process.exitCode ?? 0)): void {
  if (typeof process.execve !== 'function') process.exit(code)
  process.exitCode = code
  process.emit('exit', code)
  // Who listens may have found that it has failed after all.
  const script = `process.exitCode = ${Number(process.exitCode)}`
  process.execve(process.execPath, [process.execPath, '-e', script], {})
}

/** Says to a process that waits for this one, as `supervise` does, that all is done but ending. */
export function reportToSupervisor(code: number): void {
  if (!process.connected) return
  // Should it be gone already, nobody waits.
  process.send?.(code, undefined, undefined, () => undefined)
}
