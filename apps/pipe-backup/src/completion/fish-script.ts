import type { CompletedCommand, Completes } from './command-table.ts'

/** The commands for fish's `complete`. */
export function fishScript(table: readonly CompletedCommand[]): string {
  const lines = table.flatMap((command) => {
    const at = `-n ${quoted(`__pipe_backup_at ${quoted(command.path)}`)}`
    return [
      ...command.commands.map(
        ({ name, description }) => `${at} -a ${quoted(name)} -d ${quoted(description)}`,
      ),
      ...command.options.map(({ flags, description, value }) =>
        [at, ...flags.map(flagOf), ...(value ? valueOf(value) : []), `-d ${quoted(description)}`].join(' '),
      ),
      ...command.arguments.map((completes) => [at, ...completionOf(completes)].join(' ')),
    ]
  })
  return `# pipe-backup: completion for fish

# Whether the words before the cursor are this command.
function __pipe_backup_at
    set -l command
    for word in (commandline -opc)[2..-1]
        if contains -- (string join -- ' ' $command $word) ${table
          .filter(({ path }) => path !== '')
          .map(({ path }) => quoted(path))
          .join(' ')}
            set command $command $word
        end
    end
    test "$command" = "$argv[1]"
end

# The names of the sources or sinks of the configuration, of that which is named before the cursor.
function __pipe_backup_names
    set -l words (commandline -opc)
    set -l config (string match -- '--config=*' $words)
    if set -l at (contains -i -- --config $words)
        set config --config $words[(math $at + 1)]
    end
    pipe-backup config check --json $config 2>/dev/null </dev/null | string replace -rf '.*"'$argv[1]'":\\[([^]]*)\\].*' '$1' | string match -ar '"name":"[^"]*"' | string replace -r '"name":"(.*)"' '$1'
end

complete -c pipe-backup -f
${lines.map((line) => `complete -c pipe-backup ${line}`).join('\n')}
`
}

function flagOf(flag: string): string {
  return flag.startsWith('--') ? `-l ${quoted(flag.slice(2))}` : `-s ${quoted(flag.slice(1))}`
}

/** Of an option: files only where one is wanted. */
function valueOf(completes: Completes): readonly string[] {
  const isFile = 'from' in completes && completes.from === 'files'
  return [isFile ? '-r' : '-x', ...completionOf(completes)]
}

function completionOf(completes: Completes): readonly string[] {
  if (!('from' in completes))
    return completes.words.length === 0 ? [] : [`-a ${quoted(completes.words.join(' '))}`]
  switch (completes.from) {
    case 'files':
      return ['-F']
    case 'directories':
      return [`-a ${quoted('(__fish_complete_directories)')}`]
    case 'sources':
    case 'sinks':
      return [`-a ${quoted(`(__pipe_backup_names ${completes.from})`)}`]
    case 'paths':
      return [`-a ${quoted('(__pipe_backup_names sources)/')}`]
  }
}

function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}
