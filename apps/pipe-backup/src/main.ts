import { readFileSync } from 'node:fs'
import { type Command, CommanderError } from 'commander'
import { endProcess, reportToSupervisor } from './end-process.ts'
import { thisMachine } from './machine.ts'
import { takePhraseVariable } from './phrase/phrase-variable.ts'
import { createProgram, type Runner } from './program.ts'

/** Anything that holds the process open longer than this after its work is done is cut off. */
const LINGER_MS = 5000

/** What a program that a closed pipe ended is reported with: 128 + SIGPIPE. */
const CLOSED_PIPE = 141

/** Why what was printed has not arrived, as on a full disk. */
let lostOutput: NodeJS.ErrnoException | undefined

const version = readVersion()
const phraseVariable = takePhraseVariable(process.env)

// A reader that goes away, as `| head` does, is reported by the write that failed; without this it would be a crash.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE' || lostOutput) return
  lostOutput = error
  process.once('exit', reportLostOutput)
})
process.stderr.on('error', () => undefined)

const runner: Runner = async (options, command) => {
  if (!options.color) process.env['NO_COLOR'] = '1'
  const { createOutput } = await import('./terminal/output.ts')
  const { watchSignals } = await import('./signals.ts')
  const output = createOutput(options)
  using watch = watchSignals((name) => output.error(`${name}: stopping`))
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

/** Who redirected it must not take what there is for the whole. The work itself may be done. */
function reportLostOutput(): void {
  process.stderr.write(`pipe-backup: standard output could not be written: ${lostOutput?.message}\n`)
  process.exitCode ||= 3
}

async function parse(program: Command): Promise<void> {
  for (const command of withSubcommands(program)) command.exitOverride()
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
