import type { Argument, Command, Option } from 'commander'

/** What can stand at a place: these words, or what only the machine or the configuration knows. */
export type Completes =
  | { readonly words: readonly string[] }
  | { readonly from: 'files' | 'directories' | 'sources' | 'sinks' | 'paths' }

export interface CompletedOption {
  /** `-h`, `--help` */
  readonly flags: readonly string[]
  readonly description: string
  /** What follows it; undefined for nothing, or nothing that it must have. */
  readonly value: Completes | undefined
}

/** A command, as a shell must know it. */
export interface CompletedCommand {
  /** `''` for the program itself, `key show`. */
  readonly path: string
  readonly commands: readonly { readonly name: string; readonly description: string }[]
  /** Its own, and those that every command takes. */
  readonly options: readonly CompletedOption[]
  /** The last stands for all that follow when `more` is set. */
  readonly arguments: readonly Completes[]
  readonly more: boolean
}

/** All the commands of a program, as its help shows them. */
export function commandTable(program: Command): readonly CompletedCommand[] {
  const table: CompletedCommand[] = []
  const visit = (command: Command, path: string): void => {
    const help = command.createHelp()
    const commands = help.visibleCommands(command)
    const options = [...help.visibleOptions(command), ...(path === '' ? [] : program.options)]
    table.push({
      path,
      commands: commands.map((one) => ({ name: one.name(), description: one.description() })),
      options: options.map(toCompletedOption),
      arguments: command.registeredArguments.map(argumentCompletes),
      more: command.registeredArguments.some(({ variadic }) => variadic),
    })
    for (const one of commands) visit(one, path === '' ? one.name() : `${path} ${one.name()}`)
  }
  visit(program, '')
  return table
}

function toCompletedOption(option: Option): CompletedOption {
  const flags = [option.short, option.long].filter((flag) => typeof flag === 'string')
  return {
    flags,
    description: option.description,
    value: option.required ? optionCompletes(option) : undefined,
  }
}

function optionCompletes(option: Option): Completes {
  if (option.long === '--source') return { from: 'sources' }
  if (option.long === '--sink' || option.long === '--from') return { from: 'sinks' }
  if (option.long === '--snapshot') return { words: ['latest'] }
  if (option.flags.includes('<file>')) return { from: 'files' }
  if (option.flags.includes('<dir>')) return { from: 'directories' }
  return { words: option.argChoices ?? [] }
}

function argumentCompletes(argument: Argument): Completes {
  if (argument.argChoices) return { words: argument.argChoices }
  switch (argument.name()) {
    case 'snapshot':
    case 'before':
    case 'after':
      return { words: ['latest'] }
    case 'path':
    case 'paths':
      return { from: 'paths' }
    default:
      return { words: [] }
  }
}
