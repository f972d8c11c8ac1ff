import { shellQuoted } from '../shell-quoted.ts'
import type { CompletedCommand, Completes } from './command-table.ts'

/**
 * A function that completes in bash, and in zsh's imitation of it. `COMP_WORDS` has `=` as a word of its own. Names of sources and sinks
 * come from the configuration, which is checked and no more; `compgen -W` would expand what is in them, but a name that passed the check is letters,
 * digits, dots and dashes.
 */
export function bashScript(table: readonly CompletedCommand[]): string {
  const taking = table.flatMap(({ path, options }) =>
    options.flatMap(({ flags, value }) =>
      value === undefined ? [] : [{ places: flags.map((flag) => `${path} ${flag}`), value }],
    ),
  )
  return `# pipe-backup: completion for bash

# What can follow an option that takes a value; $1 is the command and the option.
_pipe_backup_value() {
  case "$1" in
${taking.map(({ places, value }) => `    ${places.map(shellQuoted).join(' | ')}) echo ${shellQuoted(kindOf(value))} ;;`).join('\n')}
    *) return 1 ;;
  esac
}

# What can stand at an argument; $1 is the command and the argument's number.
_pipe_backup_argument() {
  case "$1" in
${table.flatMap(argumentCases).join('\n')}
  esac
}

_pipe_backup_options() {
  case "$1" in
${table.map(({ path, options }) => `    ${shellQuoted(path)}) echo ${shellQuoted(options.flatMap(({ flags }) => flags).join(' '))} ;;`).join('\n')}
  esac
}

_pipe_backup_commands() {
  case "$1" in
${table
  .filter(({ commands }) => commands.length > 0)
  .map(
    ({ path, commands }) =>
      `    ${shellQuoted(path)}) echo ${shellQuoted(commands.map(({ name }) => name).join(' '))} ;;`,
  )
  .join('\n')}
  esac
}

# The names of the configuration's sources or sinks.
_pipe_backup_names() {
  if [ -n "$_pipe_backup_config" ]; then
    "\${COMP_WORDS[0]}" config check --json --config "$_pipe_backup_config"
  else
    "\${COMP_WORDS[0]}" config check --json
  fi 2>/dev/null </dev/null |
    sed -n 's/.*"'"$1"'":\\[\\([^]]*\\)\\].*/\\1/p' | grep -o '"name":"[^"]*"' | cut -d '"' -f 4
}

_pipe_backup() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" command='' kind='' word='' option='' count=0 at=1 only=''
  local _pipe_backup_config=''
  COMPREPLY=()
  if [ "$cur" = '=' ]; then cur=''; fi
  while [ "$at" -lt "$COMP_CWORD" ]; do
    word="\${COMP_WORDS[at]}"
    at=$((at + 1))
    if [ "$word" = '=' ]; then continue; fi
    if [ -n "$option" ]; then
      if [ "$option" = '--config' ]; then _pipe_backup_config="$word"; fi
      option=''
      continue
    fi
    if [ -z "$only" ]; then
      case "$word" in
        --) only=1; continue ;;
        -*)
          if _pipe_backup_value "$command $word" >/dev/null; then option="$word"; fi
          continue ;;
      esac
    fi
    case " $(_pipe_backup_commands "$command") " in
      *" $word "*) command="\${command:+$command }$word" ;;
      *) count=$((count + 1)) ;;
    esac
  done
  if [ -n "$option" ]; then
    kind="$(_pipe_backup_value "$command $option")"
  elif [ -z "$only" ] && [ "\${cur#-}" != "$cur" ]; then
    COMPREPLY=($(compgen -W "$(_pipe_backup_options "$command")" -- "$cur"))
    return 0
  elif [ "$count" -eq 0 ] && [ -n "$(_pipe_backup_commands "$command")" ]; then
    COMPREPLY=($(compgen -W "$(_pipe_backup_commands "$command")" -- "$cur"))
    return 0
  else
    kind="$(_pipe_backup_argument "$command $count")"
  fi
  if [ "\${kind#words}" != "$kind" ]; then
    COMPREPLY=($(compgen -W "\${kind#words}" -- "$cur"))
    return 0
  fi
  # One to a line: names of files may have blanks.
  local IFS=$'\\n'
  case "$kind" in
    files)
      compopt -o filenames 2>/dev/null
      COMPREPLY=($(compgen -f -- "$cur")) ;;
    directories)
      compopt -o filenames 2>/dev/null
      COMPREPLY=($(compgen -d -- "$cur")) ;;
    sources | sinks) COMPREPLY=($(compgen -W "$(_pipe_backup_names "$kind")" -- "$cur")) ;;
    paths)
      compopt -o nospace 2>/dev/null
      COMPREPLY=($(compgen -S / -W "$(_pipe_backup_names sources)" -- "$cur")) ;;
  esac
  return 0
}

complete -F _pipe_backup pipe-backup
`
}

function kindOf(completes: Completes): string {
  return 'from' in completes ? completes.from : ['words', ...completes.words].join(' ')
}

function argumentCases({ path, arguments: expected, more }: CompletedCommand): string[] {
  return expected.map((completes, i) => {
    const place = shellQuoted(`${path} ${i}`)
    const following = more && i === expected.length - 1 ? ` | ${shellQuoted(`${path} `)}[0-9]*` : ''
    return `    ${place}${following}) echo ${shellQuoted(kindOf(completes))} ;;`
  })
}
