import { Command, InvalidArgumentError, Option } from 'commander'
import type { CliContext, GlobalOptions } from './cli-context.ts'
import { addArchiveCommands } from './program/archive-commands.ts'
import { addCareCommands } from './program/care-commands.ts'
import { type Commands, collect } from './program/commands.ts'
import { addMarkCommands } from './program/mark-commands.ts'
import { addReadCommands } from './program/read-commands.ts'
import { addScheduleCommands } from './program/schedule-commands.ts'
import { addSetupCommands } from './program/setup-commands.ts'
import { addStoreCommands } from './program/store-commands.ts'

/** Runs a command with all that it needs, and keeps its exit code. @param name - the command's, as it is typed: `key show` */
export type Runner = (
  options: GlobalOptions,
  command: (cli: CliContext) => Promise<number>,
  name: string,
) => Promise<void>

/** The commands and their options. What they do is loaded when one is run: `--help` must not wait for it. */
export function createProgram(version: string, runner: Runner): Command {
  const program = new Command('pipe-backup')
    .description('Encrypted, deduplicated backups: one read, one encryption, many places at once.')
    .version(version, '--version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand(false)
    .option('--config <file>', 'the configuration file')
    .option('--json', 'print JSON on standard output, everything else on standard error')
    .option('--quiet', 'print errors only')
    .option('--verbose', 'print more')
    .option('--no-color', 'print without colours')
    .option(
      '--log-json',
      'write a log on standard error, one JSON object a line; reports of commands that move data, too',
    )
    .addOption(
      new Option('--from <sink>', 'read from this sink alone; again for a next one to try')
        .argParser(collect)
        .default([], 'all'),
    )
    .addOption(
      new Option(
        '--vault-id <id>',
        "the vault that a recipient's phrase is for: 32 hex digits, from its owner",
      ).argParser(parseVaultId),
    )
  let called = ''
  program.hook('preAction', (_program, command) => {
    called = nameOf(command)
  })
  const add = (words: string, description: string, example: string, parent: Command = program): Command =>
    parent
      .command(words)
      .description(description)
      .helpOption('-h, --help', 'print help')
      .configureHelp({ showGlobalOptions: true })
      .addHelpText('after', `\nExample:\n  ${example.replaceAll('\n', '\n  ')}`)
  const act = (work: (cli: CliContext) => Promise<number>): Promise<void> =>
    runner({ ...UNSAID, ...program.opts<Partial<GlobalOptions>>() }, work, called)
  program.addHelpText(
    'after',
    '\nExample:\n  pipe-backup init\n  pipe-backup run\n  pipe-backup restore latest --to /tmp/restored',
  )

  const commands: Commands = { add, act, program }
  addStoreCommands(commands)
  addReadCommands(commands)
  addArchiveCommands(commands)
  addMarkCommands(commands)
  addCareCommands(commands)
  addScheduleCommands(commands)
  addSetupCommands(commands)
  return program
}

/** `key show`: without the program's own name. */
function nameOf(command: Command): string {
  const { parent } = command
  return parent?.parent ? `${nameOf(parent)} ${command.name()}` : command.name()
}

function parseVaultId(text: string): string {
  if (/^[0-9a-f]{32}$/i.test(text)) return text.toLowerCase()
  throw new InvalidArgumentError('It has 32 hexadecimal digits.')
}

const UNSAID: GlobalOptions = {
  json: false,
  quiet: false,
  verbose: false,
  color: true,
  logJson: false,
  from: [],
}
