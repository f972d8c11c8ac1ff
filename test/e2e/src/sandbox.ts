import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { execa } from 'execa'

/** The built command. */
export const MAIN: string = resolve(import.meta.dirname, '../../../apps/pipe-backup/bin/pipe-backup.js')

export interface RunOptions {
  /** A name of its own for each machine: another has no host key and no state. */
  readonly machine?: string
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  /** What is piped in; without it standard input is closed. */
  readonly input?: string | Uint8Array
  /** As whom; what it reads must be theirs. */
  readonly uid?: number
  readonly gid?: number
  readonly cancelSignal?: AbortSignal
  /** Sent when `cancelSignal` fires. */
  readonly killSignal?: NodeJS.Signals
}

/** A machine of its own for the command: directories for configuration, state and sinks, under one temporary directory. */
export class Sandbox implements Disposable {
  readonly root: string = mkdtempSync(join(tmpdir(), 'pipe-backup-'))

  /** A path below the sandbox. */
  path(...parts: string[]): string {
    return join(this.root, ...parts)
  }

  /** Writes `pipe-backup.json`. `sources` and all else as in the configuration. */
  configure(config: Record<string, unknown>): void {
    writeFileSync(this.path('pipe-backup.json'), JSON.stringify({ vault: 'sandbox', ...config }, null, 2), {
      mode: 0o600,
    })
  }

  /** Local sinks of these names, as configured. */
  sinks(...names: string[]): object[] {
    return names.map((name) => ({ type: 'local', name, path: this.path('sinks', name) }))
  }

  /** Runs the built command as a person would; never rejects for an exit code. */
  async run(
    args: string[],
    options: RunOptions = {},
  ): Promise<{ code: number | undefined; out: Buffer; err: string }> {
    const { machine, env, ...rest } = options
    const ran = await execa(process.execPath, [MAIN, ...args], {
      cwd: this.root,
      ...(options.input === undefined && { stdin: 'ignore' as const }),
      env: { ...this.environment(machine), ...env },
      maxBuffer: 1024 * 1024 * 1024,
      ...rest,
      encoding: 'buffer',
      stripFinalNewline: false,
      reject: false,
    })
    return { code: ran.exitCode, out: Buffer.from(ran.stdout), err: Buffer.from(ran.stderr).toString() }
  }

  /** What the command finds in its environment. */
  environment(machine = 'home'): Record<string, string> {
    mkdirSync(this.path(machine), { recursive: true })
    return {
      XDG_CONFIG_HOME: this.path(machine, 'config'),
      XDG_STATE_HOME: this.path(machine, 'state'),
      NO_COLOR: '1',
    }
  }

  /** As `run`, for what must succeed. @throws Error with what it printed */
  async ok(args: string[], options: RunOptions = {}): Promise<Buffer> {
    const { code, out, err } = await this.run(args, options)
    if (code !== 0) throw new Error(`pipe-backup ${args.join(' ')} exited with ${code}: ${err}`)
    return out
  }

  [Symbol.dispose](): void {
    rmSync(this.root, { recursive: true, force: true })
  }
}

/** What rsync would have to change to make the second tree like the first: nothing, when they are equal. */
export async function difference(from: string, to: string): Promise<string> {
  const { stdout } = await execa('rsync', ['-anciHD', '--numeric-ids', '--delete', `${from}/`, `${to}/`])
  return stdout
}
