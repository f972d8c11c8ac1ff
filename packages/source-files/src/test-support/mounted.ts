import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

/** Mounts for a test; taken away again after it, also when they hang. */
export class Mounted implements Disposable {
  readonly #points: string[] = []
  readonly #programs: ChildProcess[] = []

  mount(point: string, ...args: readonly string[]): void {
    execFileSync('mount', [...args, point])
    this.#points.push(point)
  }

  /** @param never - the first request that is not answered: see fuse.ts */
  async hanging(point: string, never: string): Promise<void> {
    const program = spawn(process.execPath, [join(import.meta.dirname, 'fuse.ts'), point, never], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    this.#programs.push(program)
    this.#points.push(point)
    await Promise.race([
      once(program.stdout, 'data'),
      once(program, 'exit').then(() => Promise.reject(new Error('no FUSE file system could be mounted'))),
    ])
  }

  [Symbol.dispose](): void {
    // Its death ends all that waits for it.
    for (const program of this.#programs) program.kill('SIGKILL')
    for (const point of this.#points.toReversed()) spawnSync('umount', ['-l', point])
  }
}
