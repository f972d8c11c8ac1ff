import { dirname } from 'node:path'
import type { CliContext } from '../cli-context.ts'
import { CommandError } from '../command-error.ts'
import { crossCheckedConfig, loadConfig } from '../config/load-config.ts'
import { resolvePath } from '../config/resolve-path.ts'
import { parseYaml } from '../config/yaml-document.ts'
import { askCare } from '../setup/ask-care.ts'
import { askFile, wordsToFind } from '../setup/ask-file.ts'
import { askName } from '../setup/ask-name.ts'
import { askSinks } from '../setup/ask-sinks.ts'
import { askSources } from '../setup/ask-sources.ts'
import { type Asker, createAsker } from '../setup/asker.ts'
import { composeYaml } from '../setup/compose-yaml.ts'
import { SecretDrawer } from '../setup/secret-drawer.ts'
import { terminalLines } from '../setup/terminal-lines.ts'
import { writeSetup } from '../setup/write-setup.ts'
import { shellQuoted } from '../shell-quoted.ts'
import { UsageError } from '../usage-error.ts'
import { doctor } from './doctor.ts'

/** What was answered, not written yet. */
interface Plan {
  readonly file: string
  readonly text: string
  readonly secrets: Iterable<readonly [path: string, text: string]>
  readonly isScheduled: boolean
}

/** `config init`: asks its way to a configuration, writes it, and has `doctor` try it. @returns the exit code: 3 when doctor has found a failure */
export async function configInit(cli: CliContext): Promise<number> {
  const { options, signal } = cli
  if (options.json || options.quiet)
    throw new UsageError('config init asks questions: --json and --quiet are not for it')
  if (!process.stdin.isTTY || !process.stderr.isTTY)
    throw new UsageError(
      'config init asks its questions on a terminal, and there is none',
      'Write the configuration yourself; `pipe-backup config schema` describes it.',
    )
  try {
    const plan = await ask(cli)
    await using written = await writeSetup(plan.file, plan.text, plan.secrets)
    await loadConfig(plan.file, cli.machine)
    cli.output.print(`\nWritten: ${plan.file}`)
    if (written.replaced !== undefined) cli.output.print(`What was there before: ${written.replaced}`)
    cli.output.print('\nTrying it, as `pipe-backup doctor` does:\n')
    const named = { ...cli, options: { ...options, config: plan.file } }
    const exitCode = await doctor(named, { notify: true, isNew: true })
    signal.throwIfAborted()
    written.keep()
    await printNext(plan, exitCode, cli)
    return exitCode === 1 ? 3 : 0
  } catch (error) {
    if (!signal.aborted) throw error
    throw new CommandError('cancelled', 'stopped: nothing was written')
  }
}

/** Asks for all of it. Nothing is written meanwhile, neither here nor on a sink. */
async function ask({ machine, options, signal }: CliContext): Promise<Plan> {
  const { stdin, stderr } = process
  // As from a terminal whose line nobody edits: who watches for signals stops everything.
  const interrupt = (): void => void process.kill(process.pid, 'SIGINT')
  using lines = terminalLines({ input: stdin, output: stderr, signal, interrupt })
  const asker = createAsker(lines)
  asker.say(
    'This asks what a backup needs, tries each answer, and writes a configuration. Enter takes what is in brackets. Ctrl-C at any time leaves everything as it was.',
  )
  const file = await askFile(asker, options.config, machine)
  const drawer = new SecretDrawer(file)
  const asking = { asker, drawer, cwd: machine.cwd }
  const trying = {
    drawer,
    signal,
    env: machine.env,
    path: (value: string) => resolvePath(value, dirname(file), machine.home),
  }
  asker.say('\nWhat is this backup to be called on this machine? Its key file is named after it.')
  const vault = await askName(asker, vaultName(machine.hostName), [])
  const sources = await askSources(asking, trying)
  const sinks = await askSinks(asking, trying)
  const answers = { vault, sources, sinks, ...(await askCare(asking)) }
  const text = composeYaml(answers)
  // What is refused here would be refused by every command.
  crossCheckedConfig(parseYaml(text, file), file)
  await confirmWriting(asker, file, text)
  return { file, text, secrets: drawer.filesOf(answers), isScheduled: answers.schedule !== undefined }
}

async function confirmWriting(asker: Asker, file: string, text: string): Promise<void> {
  asker.say(`\n${text}`)
  if (!(await asker.confirm(`Write this to ${file}`, true)))
    throw new CommandError('cancelled', 'nothing was written')
}

async function printNext(
  { file, isScheduled }: Plan,
  exitCode: number,
  { machine, output }: CliContext,
): Promise<void> {
  const command = ['pipe-backup', ...(await wordsToFind(file, machine)).map(shellQuoted)].join(' ')
  if (exitCode === 1)
    output.print(
      `\nNot all of it works yet: correct what FAILED in ${file}, and try again with\n  ${command} doctor`,
    )
  output.print(
    `\nNext, make the vault on every sink; it shows the 24 words of the recovery phrase, to be kept elsewhere:\n  ${command} init\nThen back up:\n  ${command} run`,
  )
  if (isScheduled) output.print(`From then on by itself:\n  ${command} schedule install`)
}

/** A host's name as a vault may be called. */
function vaultName(hostName: string): string {
  const name = hostName
    .toLowerCase()
    .replace(/\..*$/, '')
    .replaceAll(/[^a-z0-9_-]/g, '-')
    .replace(/^[^a-z0-9]+/, '')
    .slice(0, 100)
  return name === '' ? 'default' : name
}
