import { readFileSync } from 'node:fs'
import { type Command, CommanderError } from 'commander'
import { endProcess, reportToSupervisor } from './end-process.ts'
import { thisMachine } from './machine.ts'
import { takePhraseVariable } from './phrase/phrase-variable.ts'
import { createProgram, type Runner } from './program.ts'
import { logRecord } from './terminal/json-log.ts'
import type { Output } from './terminal/output.ts'

/** Anything that holds the process open longer than this after its work is done is cut off. */
const LINGER_MS = 5000

/** What a program that a closed pipe ended is reported with: 128 + SIGPIPE. */
const CLOSED_PIPE = 141

/** Why what was printed has not arrived, as on a full disk. */
let lostOutput: NodeJS.ErrnoException | undefined

/** For what goes wrong when all else is done. */
let sayLast = (line: string): void => void process.stderr.write(`pipe-backup: ${line}\n`)

const version = readVersion()
const phraseVariable = takePhraseVariable(process.env)

// A reader that goes away, as `| head` does, is reported by the write that failed; without this it would be a crash.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE' || lostOutput) return
  lostOutput = error
  process.once('exit', reportLostOutput)
})
process.stderr.on('error', () => undefined)

const runner: Runner = async (options, command, name) => {
  if (!options.color) process.env['NO_COLOR'] = '1'
  const { createOutput } = await import('./terminal/output.ts')
  const { watchSignals } = await import('./signals.ts')
  const output = createOutput(options, name)
  const startedMs = performance.now()
  sayLast = (line) => output.error(line)
  using watch = watchSignals((name) => sayStopping(name, output))
  const { signal } = watch
  try {
    const program = `pipe-backup ${version}`
    const exitCode = await command({
      machine: thisMachine(),
      options,
      output,
      signal,
      phraseVariable,
      program,
    })
    // A run whose snapshot was committed before it could stop has done its work.
    process.exitCode = exitCode === 1 ? (watch.exitCode() ?? 1) : exitCode
  } catch (error) {
    process.exitCode = await reportFailure(error)
  }
  logEnd(output, Number(process.exitCode), performance.now() - startedMs)

  async function reportFailure(error: unknown): Promise<number> {
    if (isClosedPipe(error)) return CLOSED_PIPE
    if (error === lostOutput) return 1
    const { reportError } = await import('./terminal/report-error.ts')
    const exitCode = reportError(error, output)
    return watch.exitCode() ?? exitCode
  }
}

await parse(createProgram(version, runner))
reportToSupervisor(Number(process.exitCode ?? 0))
setTimeout(() => endProcess(), LINGER_MS).unref()

/** Whoever stops a daemon is no failure: an alert on errors in a log is not to come for it. */
function sayStopping(signal: string, output: Output): void {
  const line = `${signal}: stopping`
  if (output.logsJson) output.log('warning', line, { event: 'stop' })
  else output.error(line)
}

/** Says in a log how a command has ended: not where another process has run it, nor where it never began. */
function logEnd({ log, subject }: Output, exitCode: number, durationMs: number): void {
  if (subject === undefined) return
  const level = exitCode === 0 ? 'info' : exitCode === 3 ? 'warning' : 'error'
  const seconds = Math.round(durationMs) / 1000
  log(level, `ended with exit code ${exitCode}`, { event: 'end', exitCode, seconds })
}

/** Who redirected it must not take what there is for the whole. The work itself may be done. */
function reportLostOutput(): void {
  sayLast(`standard output could not be written: ${lostOutput?.message}`)
  process.exitCode ||= 3
}

async function parse(program: Command): Promise<void> {
  for (const command of withSubcommands(program)) {
    command.exitOverride()
    if (process.argv.includes('--log-json'))
      command.configureOutput({ outputError: (text, write) => write(`${usageRecord(text)}\n`) })
  }
  try {
    await program.parseAsync()
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    // Commander has printed help, the version, or what is wrong with the usage.
    const shown = error.code === 'commander.helpDisplayed' || error.code === 'commander.version'
    process.exitCode = shown ? 0 : 2
    if (!shown && process.argv.includes('--json')) {
      const message = error.message.replace(/^error: /, '')
      process.stdout.write(`${JSON.stringify({ error: { code: 'usage', message } })}\n`)
    }
  }
}

function usageRecord(text: string): string {
  const line = text.trim().replace(/^error: /, '')
  return logRecord('error', undefined, line, { event: 'failure', code: 'usage', exitCode: 2 })
}

function* withSubcommands(command: Command): Generator<Command> {
  yield command
  for (const below of command.commands) yield* withSubcommands(below)
}

function isClosedPipe(error: unknown): boolean {
  return (
    error instanceof Error &&
    'code' in error &&
    error.code === 'EPIPE' &&
    'syscall' in error &&
    error.syscall === 'write'
  )
}

function readVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  const found =
    typeof manifest === 'object' && manifest !== null && 'version' in manifest ? manifest.version : undefined
  return String(found)
}
