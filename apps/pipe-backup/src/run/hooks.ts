import { SourceError } from '@pipe-backup/source'
import type { SourceReport } from '@pipe-backup/vault'
import type { CliContext } from '../cli-context.ts'
import { CommandError } from '../command-error.ts'
import type { LoadedConfig } from '../config/load-config.ts'
import type { CommandConfig } from '../config/values.ts'
import { type SourceConfig, silentMsOf } from '../providers/source-type.ts'

/** Lines of a complaint that are passed on. */
const MAX_LINES = 3
/** The end of what it prints, in characters: it may print as much as it likes. */
const MAX_OUTPUT = 64 * 1024
/** For so long what it printed may still come when it has ended. */
const LAST_WORDS_MS = 300
/** How long an `after` may take once the run has been stopped. */
const FAREWELL_MS = 5000

/** What became of a run, or of the sending of an archive. */
export interface RunOutcome {
  readonly exitCode: number
  readonly snapshot?: string | null | undefined
  readonly archive?: string | null | undefined
}

/** The commands of the configuration that run before and after a source is read, and before and after a run. */
export class Hooks {
  readonly #config: LoadedConfig
  readonly #cli: CliContext

  constructor(config: LoadedConfig, cli: CliContext) {
    this.#config = config
    this.#cli = cli
  }

  /** @throws CommandError `hook-failed`: nothing is to be backed up */
  async beforeRun(): Promise<void> {
    const { before } = this.#config
    if (!before) return
    const failure = await this.#run(before, {})
    if (failure !== undefined)
      throw new CommandError('hook-failed', `before: ${failure}`, 'Nothing was backed up.')
  }

  /**
   * Runs in any case.
   * @param outcome - what became of the run; undefined when it failed as a whole
   */
  async afterRun(outcome: RunOutcome | undefined): Promise<void> {
    const { after } = this.#config
    if (!after) return
    const failure = await this.#run(after, {
      PIPE_BACKUP_OUTCOME: outcome?.exitCode === 0 ? 'ok' : outcome?.exitCode === 3 ? 'warning' : 'failed',
      PIPE_BACKUP_SNAPSHOT: outcome?.snapshot ?? '',
      PIPE_BACKUP_ARCHIVE: outcome?.archive ?? '',
    })
    if (failure !== undefined) this.#cli.output.error(`after: ${failure}`)
  }

  /** @throws SourceError `command-failed`: the source is not to be read */
  async beforeSource(name: string): Promise<void> {
    const source = this.#find(name)
    const before = source?.before
    if (!before) return
    const failure = await this.#run(before, { PIPE_BACKUP_SOURCE: name }, source)
    if (failure !== undefined) throw new SourceError('command-failed', `its \`before\` failed: ${failure}`)
  }

  /** @throws CommandError `hook-failed` */
  async afterSource({ name, state, error }: Pick<SourceReport, 'name' | 'state' | 'error'>): Promise<void> {
    const source = this.#find(name)
    const after = source?.after
    if (!after) return
    const failure = await this.#run(
      after,
      {
        PIPE_BACKUP_SOURCE: name,
        PIPE_BACKUP_OUTCOME: state === 'incomplete' ? 'warning' : state,
        PIPE_BACKUP_ERROR: error ?? '',
      },
      source,
    )
    if (failure !== undefined) throw new CommandError('hook-failed', `its \`after\` failed: ${failure}`)
  }

  #find(name: string): LoadedConfig['sources'][number] | undefined {
    return this.#config.sources.find((source) => source.name === name)
  }

  /** @returns what went wrong, in one line */
  async #run(
    [program = '', ...args]: CommandConfig,
    env: Readonly<Record<string, string>>,
    source: Pick<SourceConfig, 'timeout'> = {},
  ): Promise<string | undefined> {
    // Loaded where it is used: most runs have no hooks.
    const { execa } = await import('execa')
    const { machine, output, signal } = this.#cli
    // What was prepared is to be undone also when the run is stopped.
    const stopped = signal.aborted ? AbortSignal.timeout(FAREWELL_MS) : signal
    const silentMs = silentMsOf(source)
    const hung = new AbortController()
    const timer = setTimeout(() => hung.abort(), silentMs)
    const running = execa(program, args, {
      cwd: machine.cwd,
      env: { ...env, PIPE_BACKUP_VAULT: this.#config.vault },
      stdin: 'ignore',
      buffer: false,
      cancelSignal: AbortSignal.any([stopped, hung.signal]),
      reject: false,
    })
    const { nodeChildProcess: child } = running
    // What it has left running, such as a tunnel, has its pipes as well, and need not end.
    child.once('exit', () => {
      setTimeout(() => {
        child.stdout?.destroy()
        child.stderr?.destroy()
      }, LAST_WORDS_MS)
    })
    let all = ''
    let complaint = ''
    const listen = async (from: 'stdout' | 'stderr'): Promise<void> => {
      const decoder = new TextDecoder()
      try {
        for await (const piece of running.iterable({ from, binary: true })) {
          timer.refresh()
          const text = decoder.decode(piece, { stream: true })
          all = (all + text).slice(-MAX_OUTPUT)
          if (from === 'stderr') complaint = (complaint + text).slice(-MAX_OUTPUT)
        }
      } catch {
        // Its pipes were let go.
      }
    }
    const [ran] = await Promise.all([running, listen('stdout'), listen('stderr')])
    clearTimeout(timer)
    if (all !== '') output.note(all.trimEnd())
    if (!ran.failed) return undefined
    const said = complaint.trim().split('\n').slice(-MAX_LINES).join(' | ')
    if (hung.signal.aborted) return `${program} said nothing for ${silentMs / 1000} s, and was ended`
    const how = ran.signal !== undefined ? `was ended by ${ran.signal}` : `exited with ${ran.exitCode}`
    if (ran.exitCode === undefined && ran.signal === undefined)
      return `${program} could not be run: ${ran.originalMessage ?? ''}`
    return `${program} ${how}${said === '' ? '' : `: ${said}`}`
  }
}
