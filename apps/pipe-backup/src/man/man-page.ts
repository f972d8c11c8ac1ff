import type { Argument, Command, Option } from 'commander'

/**
 * The manual page of a program, as its help says it, in the language of man(7).
 * @param program - with all its commands
 * @see https://man7.org/linux/man-pages/man7/man.7.html
 */
export function manPage(program: Command): string {
  const name = program.name()
  const version = program.version() ?? ''
  return [
    // Without a date: the same program has the same page, whenever it is built.
    `.TH ${name.toUpperCase().replaceAll('-', '\\-')} 1 "" "${name} ${version}" "User Commands"`,
    '.SH NAME',
    `${escape(name)} \\- ${escape(program.description().replace(/\.$/, ''))}`,
    '.SH SYNOPSIS',
    `.B ${escape(name)}`,
    escape('[options] command [arguments]'),
    '.SH OPTIONS',
    'Every command takes these.',
    ...optionLines(program.createHelp().visibleOptions(program)),
    '.SH COMMANDS',
    ...commandLines(program, name),
    '.SH EXIT STATUS',
    ...terms([
      ['0', 'Done.'],
      ['1', 'Failed.'],
      ['2', 'Usage or configuration: nothing was done.'],
      ['3', 'Done, but something needs a look.'],
      ['130, 143', 'Stopped by SIGINT or SIGTERM.'],
      ['141', 'Standard output was closed early.'],
    ]),
    '.SH ENVIRONMENT',
    ...terms([
      ['PIPE_BACKUP_CONFIG', 'The configuration file, where --config names none.'],
      ['PIPE_BACKUP_PHRASE', 'The recovery phrase, where --phrase-file names none.'],
      ['PIPE_BACKUP_STATE', 'The state directory.'],
      ['NO_COLOR', 'Print without colours.'],
    ]),
    '.SH FILES',
    ...terms([
      [
        'pipe-backup.yaml, .yml, .json, .jsonc, .ts',
        'The configuration: in the working directory, in $XDG_CONFIG_HOME/pipe-backup, or in /etc/pipe-backup.',
      ],
      [
        '/etc/pipe-backup/VAULT.key, $XDG_CONFIG_HOME/pipe-backup/VAULT.key',
        'The host key. It opens no backup.',
      ],
      [
        '/var/lib/pipe-backup/VAULT, $XDG_STATE_HOME/pipe-backup/VAULT',
        'State: caches and the lock. Losing it costs time, never data.',
      ],
    ]),
    '.SH EXAMPLES',
    ...exampleLines(program),
    '',
  ].join('\n')
}

function commandLines(parent: Command, path: string): string[] {
  const help = parent.createHelp()
  return help.visibleCommands(parent).flatMap((command) => {
    const words = `${path} ${command.name()}`
    if (command.commands.length > 0) return commandLines(command, words)
    const own = command.createHelp().visibleOptions(command)
    return [
      `.SS ${escape(`${words} ${command.usage()}`)}`,
      escape(`${command.description()}.`),
      ...terms(command.registeredArguments.map((argument) => [nameOf(argument), textOf(argument)])),
      ...optionLines(own.filter(({ long }) => long !== '--help')),
      ...exampleLines(command),
    ]
  })
}

function nameOf(argument: Argument): string {
  return argument.variadic ? `${argument.name()}...` : argument.name()
}

function optionLines(options: readonly Option[]): string[] {
  return terms(options.map((option) => [option.flags, textOf(option)]))
}

/** As the help shows it: with what may be given, and what is taken when nothing is. */
function textOf(item: Argument | Option): string {
  const { description, argChoices, defaultValueDescription } = item
  const defaultValue: unknown = item.defaultValue
  const notes = [
    ...(argChoices ? [`one of: ${argChoices.join(', ')}`] : []),
    ...(defaultValueDescription !== undefined
      ? [`default: ${defaultValueDescription}`]
      : typeof defaultValue === 'string' || typeof defaultValue === 'number'
        ? [`default: ${defaultValue}`]
        : []),
  ]
  return notes.length === 0 ? description : `${description} (${notes.join('; ')})`
}

function terms(pairs: readonly (readonly [term: string, text: string])[]): string[] {
  return pairs.flatMap(([term, text]) => ['.TP', `.B ${escape(term)}`, escape(text)])
}

/** The lines below "Example:" of a command's help, which has no other place. */
function exampleLines(command: Command): string[] {
  let help = ''
  const before = command.configureOutput()
  command.configureOutput({ ...before, writeOut: (text) => (help += text) })
  command.outputHelp()
  command.configureOutput(before)
  const example = help.split('\nExample:\n', 2)[1]
  if (example === undefined) return []
  const lines = example.trimEnd().split('\n')
  return ['.PP', '.nf', ...lines.map((line) => escape(line.replace(/^ {2}/, '    '))), '.fi']
}

/** Text that roff takes as it is. */
function escape(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll("'", '\\(aq')
    .replaceAll('`', '\\(ga')
    .replaceAll('^', '\\(ha')
    .replaceAll('~', '\\(ti')
    .replaceAll('"', '\\(dq')
    .replace(/^\./, '\\&.')
    .replaceAll('…', '...')
}
