import { constants } from 'node:fs'
import type { Stats } from 'ssh2'
import { expect, test } from 'vitest'
import { listObjects } from './list-objects.ts'
import type { RemoteEntry } from './remote.ts'

const entry = (filename: string, type: number): RemoteEntry => {
  const mode = type | 0o600
  const attrs = { mode, size: 7, mtime: 1_700_000_000, isDirectory: () => type === constants.S_IFDIR }
  return { filename, attrs: { ...attrs, isFile: () => type === constants.S_IFREG } as Stats }
}

/** A server with a directory of so many directories, which answers when it has been asked all that it will be asked meanwhile. */
class FarServer {
  roundTrips = 0
  open = 0
  readonly #directories: number
  readonly #waiting: (() => void)[] = []

  constructor(directories: number) {
    this.#directories = directories
  }

  async *batches(path: string): AsyncGenerator<readonly RemoteEntry[]> {
    await this.#answer()
    this.open++
    try {
      await this.#answer()
      const numbers = Array.from({ length: this.#directories }, (_, i) => String(i))
      if (path === '/root/packs') yield numbers.map((name) => entry(name, constants.S_IFDIR))
      else yield [entry('object', constants.S_IFREG)]
      await this.#answer()
    } finally {
      this.open--
    }
  }

  async closed(): Promise<void> {}

  #answer(): Promise<void> {
    if (this.#waiting.length === 0)
      setImmediate(() => {
        this.roundTrips++
        for (const answer of this.#waiting.splice(0)) answer()
      })
    return new Promise((resolve) => void this.#waiting.push(resolve))
  }
}

test('hundreds of directories are looked into several at a time', async () => {
  const remote = new FarServer(256)
  const listed = await Array.fromAsync(listObjects({ sink: 'ssh', remote, root: '/root' }, 'packs'))
  expect(new Set(listed.map(({ key }) => key)).size).toBe(256)
  // One after the other would be three for each.
  expect(remote.roundTrips).toBeLessThan(256)
  expect(remote.open).toBe(0)
})

test('who has seen enough leaves no directory open', async () => {
  const remote = new FarServer(30)
  for await (const { key } of listObjects({ sink: 'ssh', remote, root: '/root' }, 'packs')) {
    expect(key).toMatch(/^packs\/\d+\/object$/)
    break
  }
  expect(remote.open).toBe(0)
})
