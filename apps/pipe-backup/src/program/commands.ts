import { type Command, InvalidArgumentError, Option } from 'commander'
import type { CliContext } from '../cli-context.ts'

/** What a group of commands is added with. */
export interface Commands {
  readonly program: Command
  /** @param words - its name and arguments @param example - lines that can be typed @param parent - the command that it is below */
  readonly add: (words: string, description: string, example: string, parent?: Command) => Command
  /** Runs what a command does, which is loaded only then. */
  readonly act: (work: (cli: CliContext) => Promise<number>) => Promise<void>
}

export const PHRASE_FILE = [
  '--phrase-file <file>',
  'read the recovery phrase from a file; - is standard input',
] as const

export const SNAPSHOT = 'an id or its beginning, latest, latest~2, or a time such as 2026-11-23T10:00'

export const PATTERN =
  "a name ('*.json') at any depth, a path from its source's name on ('wallet/**/*.json'), or one as on the machine ('/etc/*'); a slash at its end: directories alone"

export function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value]
}

/** Only the snapshots with any of these tags. @param lead - what its line of the help begins with */
export function amongTagged(lead = ''): Option {
  return new Option('--tag <tag>', `${lead}choose among the snapshots with this tag alone; again for another`)
    .argParser(collect)
    .default([], 'all')
}

/** @throws InvalidArgumentError for what is no whole number from 0 */
export function wholeNumber(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('It must be a whole number.')
}

/** @throws InvalidArgumentError for what is no port */
export function portNumber(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text)
  throw new InvalidArgumentError('It must be a number up to 65535.')
}
