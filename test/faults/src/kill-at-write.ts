// For `node --import`: kills the process at one of its writes below KILL_BELOW; KILL_AT is which, from 1, and KILL_SIDE `before` or `after`.
// With 0 it lives, and their number goes to KILL_COUNT.
import { writeFileSync } from 'node:fs'
import { isMainThread } from 'node:worker_threads'
import { watchWrites } from './watch-writes.ts'

const { KILL_BELOW: below = '', KILL_AT: at, KILL_SIDE: side, KILL_COUNT: countFile = '' } = process.env
let count = 0

/** SIGKILL is not to be waited for, as far as anybody has promised: nothing else happens until it is here. */
function dieAt(number: number, where: string): void {
  if (number !== Number(at) || where !== side) return
  process.kill(process.pid, 'SIGKILL')
  for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
}

// Worker threads write nothing.
if (isMainThread && below !== '') {
  await watchWrites({
    isWatched: (path) => path.startsWith(below) && path !== countFile,
    write: async (_, __, act) => {
      const number = ++count
      dieAt(number, 'before')
      const result = await act()
      dieAt(number, 'after')
      return result
    },
    writeSync: (_, __, act) => {
      const number = ++count
      dieAt(number, 'before')
      const result = act()
      dieAt(number, 'after')
      return result
    },
  })
  process.on('exit', () => writeFileSync(countFile, String(count)))
}
