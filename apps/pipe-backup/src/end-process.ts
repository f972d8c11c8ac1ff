/**
 * Ends the process, also while a call hangs in a file system that does not answer: process.exit() would wait for its thread
 * for ever, as libuv joins its threads at the end. A new program in the place of this one ends them all.
 */
export function endProcess(): void {
  if (typeof process.execve !== 'function') process.exit()
  process.emit('exit', Number(process.exitCode ?? 0))
  process.execve(
    process.execPath,
    [process.execPath, '-e', `process.exitCode = ${Number(process.exitCode ?? 0)}`],
    {},
  )
}
