import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { ConfigError } from '../config/config-error.ts'
import type { SecretConfig } from '../config/values.ts'
import { resolveProgram } from '../providers/resolve-program.ts'
import { hide } from './redact.ts'

/** Longer is no password: a mistaken path, or a program that prints without end. */
const MAX_SECRET_BYTES = 64 * 1024
const BYTE_ORDER_MARK = '\u{FEFF}'

export interface SecretSurroundings {
  readonly env: NodeJS.ProcessEnv
  readonly path: (value: string) => string
  readonly signal?: AbortSignal | undefined
}

/** Reads secrets from where a configuration says they are. */
export interface SecretReader {
  /** @throws ConfigError `missing` or `unreadable`, without the secret */
  readonly read: (value: SecretConfig) => Promise<string>
  /** As `read`, for what has to be one line, as a password. @throws ConfigError `bad-value` for another, too */
  readonly readLine: (value: SecretConfig) => Promise<string>
  /** What of the secrets read so far looks like an editor's doing: a byte order mark, or blanks at the ends. Each once, without the secret. */
  readonly oddities: () => readonly string[]
}

/**
 * Makes a reader, and takes every environment variable that `config` names as a secret out of the environment, so that
 * no program that is started later inherits it.
 */
export function createSecretReader(config: unknown, around: SecretSurroundings): SecretReader {
  const taken = new Map<string, string>()
  for (const variable of secretVariables(config)) {
    const value = around.env[variable]
    if (value !== undefined) taken.set(variable, value)
    delete around.env[variable]
  }
  const fetch = async (value: SecretConfig): Promise<string> => {
    if (typeof value === 'string') return value
    if ('env' in value)
      return taken.get(value.env) ?? missing(`the environment variable ${value.env} is not set`)
    return 'file' in value
      ? readSecretFile(around.path(value.file))
      : await runSecretCommand(value.command, around)
  }
  const odd = new Set<string>()
  const read = async (value: SecretConfig): Promise<string> => {
    const secret = await fetch(value)
    const origin = originOf(value)
    if (secret === '') missing(`the secret from ${origin} is empty`)
    hide(secret)
    if (secret.startsWith(BYTE_ORDER_MARK)) odd.add(`the secret from ${origin} begins with a byte order mark`)
    else if (/^[ \t]|[ \t]$/.test(secret)) odd.add(`the secret from ${origin} begins or ends with a blank`)
    return secret
  }
  return {
    read,
    readLine: async (value) => {
      const secret = await read(value)
      if (/[\0\r\n]/.test(secret))
        throw new ConfigError(
          { code: 'bad-value', message: `the secret from ${originOf(value)} holds a line end, or a NUL` },
          { hint: "Only the end of its last line is taken off: write it with printf '%s'." },
        )
      return secret
    },
    oddities: () => [...odd],
  }
}

/** The names in every `{ env: NAME }` of a configuration. */
export function* secretVariables(value: unknown): Generator<string> {
  if (typeof value !== 'object' || value === null) return
  const entries = Object.entries(value)
  const [[key, variable] = []] = entries
  if (entries.length === 1 && key === 'env' && typeof variable === 'string') yield variable
  for (const [, inner] of entries) yield* secretVariables(inner)
}

/** Whether there is a `{ command: [...] }` anywhere in it. */
export function hasSecretCommand(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const entries = Object.entries(value)
  const [[key, command] = []] = entries
  if (entries.length === 1 && key === 'command' && Array.isArray(command)) return true
  return entries.some(([, inner]) => hasSecretCommand(inner))
}

async function readSecretFile(file: string): Promise<string> {
  try {
    const bytes = await readFile(file)
    if (bytes.length > MAX_SECRET_BYTES) throw new RangeError('it is too large to be a secret')
    return withoutNewline(bytes.toString('utf8'))
  } catch (cause) {
    const reason =
      cause instanceof Error && 'code' in cause ? cause.code : cause instanceof Error ? cause.message : cause
    throw new ConfigError(
      { code: 'unreadable', message: `a secret's file can't be read: ${String(reason)}`, file },
      { cause },
    )
  }
}

async function runSecretCommand(command: readonly string[], around: SecretSurroundings): Promise<string> {
  const [program = '', ...rest] = resolveProgram(command, around)
  const failed = (how: string, cause?: unknown): ConfigError =>
    new ConfigError(
      { code: 'unreadable', message: `the command for a secret, ${program}, ${how}` },
      { cause },
    )
  // What it says about a failure is the user's to see; what it prints is a secret.
  const child = spawn(program, rest, {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: around.env,
    signal: around.signal,
  })
  const closed = new Promise<[code: number | null, signal: NodeJS.Signals | null]>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve([code, signal]))
  })
  const read = async (): Promise<Buffer> => {
    const pieces: Uint8Array[] = []
    let length = 0
    for await (const piece of child.stdout as AsyncIterable<Uint8Array>) {
      pieces.push(piece)
      length += piece.length
      if (length > MAX_SECRET_BYTES) {
        child.kill()
        throw failed('prints too much to be a secret')
      }
    }
    return Buffer.concat(pieces)
  }
  const [output, end] = await Promise.allSettled([read(), closed])
  around.signal?.throwIfAborted()
  if (end.status === 'rejected') {
    const reason: unknown = end.reason
    throw failed(
      `can't be run: ${reason instanceof Error && 'code' in reason ? String(reason.code) : String(reason)}`,
      reason,
    )
  }
  if (output.status === 'rejected') throw output.reason
  const [code, signal] = end.value
  if (code !== 0) throw failed(signal === null ? `failed with exit code ${code}` : `was ended by ${signal}`)
  return withoutNewline(output.value.toString('utf8'))
}

/** Files and programs end their last line; the line's end is no part of a password. */
function withoutNewline(text: string): string {
  return text.replace(/\r?\n$/, '')
}

function originOf(value: SecretConfig): string {
  if (typeof value === 'string') return 'the configuration'
  if ('env' in value) return `the environment variable ${value.env}`
  return 'file' in value ? value.file : `the command ${value.command[0]}`
}

function missing(message: string): never {
  throw new ConfigError({ code: 'missing', message })
}
