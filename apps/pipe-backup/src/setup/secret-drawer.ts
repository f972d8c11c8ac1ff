import { dirname, join } from 'node:path'
import type { SecretConfig } from '../config/values.ts'
import { isTaken } from '../host/secure-file.ts'
import { hide } from '../secrets/redact.ts'

/** Beside the configuration; where a configuration has secrets in files, they are in here. */
const DIRECTORY = 'secrets'

/** Secrets that were typed, until they are written: each goes into a file of its own, and the configuration gets its name. */
export class SecretDrawer {
  readonly #file: string
  readonly #texts = new Map<string, string>()

  /** @param file - of the configuration */
  constructor(file: string) {
    this.#file = file
  }

  /** Keeps a secret. @param owner - of which it is, and `key` what @returns what stands for it in the configuration */
  async put(owner: string, key: string, text: string): Promise<SecretConfig> {
    hide(text)
    for (let count = 1; ; count++) {
      const name = join(DIRECTORY, `${owner}-${key}${count === 1 ? '' : `-${count}`}`)
      if (this.#texts.has(name) || (await isTaken(this.#path(name)))) continue
      this.#texts.set(name, text)
      return { file: name }
    }
  }

  /** A secret that was put in, before it is in its file. */
  find(secret: SecretConfig): string | undefined {
    return typeof secret === 'object' && 'file' in secret ? this.#texts.get(secret.file) : undefined
  }

  /** Absolute paths, and what belongs there, of those that a configuration names: others were typed and then not used. */
  *filesOf(config: unknown): Generator<readonly [path: string, text: string]> {
    const named = new Set(fileNames(config))
    for (const [name, text] of this.#texts) if (named.has(name)) yield [this.#path(name), text]
  }

  #path(name: string): string {
    return join(dirname(this.#file), name)
  }
}

function* fileNames(value: unknown): Generator<string> {
  if (typeof value !== 'object' || value === null) return
  for (const [key, inner] of Object.entries(value)) {
    if (key === 'file' && typeof inner === 'string') yield inner
    yield* fileNames(inner)
  }
}
