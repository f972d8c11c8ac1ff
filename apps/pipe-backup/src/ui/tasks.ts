import type { Task, TaskEvent, TaskKind } from '@pipe-backup/ui/api'
import { execa } from 'execa'
import type { CliContext } from '../cli-context.ts'
import { CommandError } from '../command-error.ts'
import { thisCommand } from '../schedule/this-command.ts'
import { redact } from '../secrets/redact.ts'
import type { Output } from '../terminal/output.ts'
import { reportError } from '../terminal/report-error.ts'
import { requestCli, type UiContext } from './request-cli.ts'

/** So many events are given to who comes later. */
const MAX_EVENTS = 500
const STOP_MS = 9500
/** As for a command that SIGTERM ended: 128 + 15. */
const CANCELLED = 143

/** What is done in this process, with the vault that is open in it. @returns the exit code */
export type Work = (cli: CliContext) => Promise<number>

/** What was started from the page, one at a time: a command as a process of its own, or what needs the keys that this process has. */
export class Tasks {
  readonly #ui: UiContext
  readonly #listeners = new Set<(event: TaskEvent) => void>()
  #events: TaskEvent[] = []
  #task: Task | undefined
  #stop: AbortController | undefined
  #ended: Promise<void> = Promise.resolve()

  constructor(ui: UiContext) {
    this.#ui = ui
  }

  /** The last that was started. */
  get task(): Task | undefined {
    return this.#task
  }

  /**
   * @param work - without it, the command of that name
   * @throws CommandError `locked` while another goes on
   */
  start(kind: TaskKind, work?: Work): Task {
    if (this.#stop) throw new CommandError('locked', `${this.#task?.kind ?? 'a command'} goes on already`)
    const stop = new AbortController()
    const task: Task = { kind, started: new Date().toISOString() }
    this.#stop = stop
    this.#task = task
    this.#events = []
    this.#say({ type: 'started', task })
    this.#ended = (work ? this.#workHere(task, work, stop.signal) : this.#work(task, stop.signal)).catch(
      (error: unknown) => this.#end(task, 1, String(error)),
    )
    return task
  }

  cancel(): void {
    this.#stop?.abort()
  }

  /** Cancels what goes on, and waits for its end. */
  async stop(): Promise<void> {
    this.cancel()
    await this.#ended
  }

  /** Calls a listener with what has happened and what will. @returns what ends that */
  listen(listener: (event: TaskEvent) => void): Disposable {
    for (const event of this.#events) listener(event)
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) }
  }

  async #work(task: Task, signal: AbortSignal): Promise<void> {
    const { cli, config, env } = this.#ui
    const [program, ...args] = thisCommand(config, task.kind, '--json', '--verbose')
    const child = execa(program, args, {
      stdin: 'ignore',
      stdout: 'pipe',
      stderr: 'pipe',
      buffer: false,
      extendEnv: false,
      env: { ...env, NO_COLOR: '1' },
      reject: false,
      cancelSignal: AbortSignal.any([cli.signal, signal]),
      killSignal: 'SIGTERM',
      forceKillAfterDelay: STOP_MS,
    })
    const reports = async (): Promise<void> => {
      for await (const line of child.iterable({ from: 'stdout' })) this.#say(eventOfLine(line))
    }
    const lines = async (): Promise<void> => {
      for await (const line of child.iterable({ from: 'stderr' }))
        this.#say({ type: 'line', text: redact(line.replace(/^pipe-backup: /, '')) })
    }
    // How it has ended is what `child` says; its streams say the same again.
    await Promise.allSettled([reports(), lines()])
    const { exitCode } = await child
    this.#end(task, exitCode ?? 1)
  }

  async #workHere(task: Task, work: Work, signal: AbortSignal): Promise<void> {
    const say = (text: string): void => this.#say({ type: 'line', text: redact(text) })
    const nothing = (): void => undefined
    const output: Output = {
      json: true,
      verbose: true,
      logsJson: false,
      around: undefined,
      subject: undefined,
      print: nothing,
      printJson: (value) => this.#say(eventOf(value)),
      report: (_text, value) => this.#say(eventOf(value)),
      log: nothing,
      error: say,
      warn: say,
      note: nothing,
      stream: () => Promise.reject(new Error('a task has no standard output')),
    }
    const { cli } = requestCli(this.#ui, signal)
    const options = { ...cli.options, json: true, verbose: true }
    let exitCode: number
    try {
      exitCode = await work({ ...cli, options, output })
    } catch (error) {
      exitCode = signal.aborted ? CANCELLED : reportError(error, output)
    }
    this.#end(task, exitCode)
  }

  #end(task: Task, exitCode: number, text?: string): void {
    this.#stop = undefined
    this.#task = { ...task, exitCode }
    if (text !== undefined) this.#say({ type: 'line', text: redact(text) })
    this.#say({ type: 'ended', task: this.#task })
  }

  #say(event: TaskEvent): void {
    // Of progress the last counts.
    if (event.type === 'progress' && this.#events.at(-1)?.type === 'progress') this.#events.pop()
    this.#events.push(event)
    // What it began with stays.
    if (this.#events.length > MAX_EVENTS) this.#events.splice(1, 1)
    for (const listener of this.#listeners) listener(event)
  }
}

function eventOfLine(line: string): TaskEvent {
  try {
    return eventOf(JSON.parse(line))
  } catch {
    return { type: 'line', text: redact(line) }
  }
}

function eventOf(report: unknown): TaskEvent {
  if (typeof report === 'object' && report !== null && 'progress' in report)
    // As it is now: whoever reports it goes on changing it.
    return { type: 'progress', progress: structuredClone(report.progress) }
  return { type: 'report', report }
}
