import type { Command } from 'commander'
import { bashScript } from '../completion/bash-script.ts'
import { commandTable } from '../completion/command-table.ts'
import { fishScript } from '../completion/fish-script.ts'

export type Shell = 'bash' | 'zsh' | 'fish'

/** `completion`: a script for a shell, made of the commands as their help shows them; on standard output with or without --json. @returns the exit code */
export function completion(program: Command, shell: Shell): number {
  process.stdout.write(scriptFor(program, shell))
  return 0
}

function scriptFor(program: Command, shell: Shell): string {
  const table = commandTable(program)
  switch (shell) {
    case 'bash':
      return bashScript(table)
    case 'zsh':
      return `autoload -Uz +X bashcompinit && bashcompinit\n${bashScript(table)}`
    case 'fish':
      return fishScript(table)
  }
}
