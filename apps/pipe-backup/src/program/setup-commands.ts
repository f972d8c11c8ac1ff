import { Argument } from 'commander'
import type { Shell } from '../commands/completion.ts'
import * as sinkCommands from '../providers/sink-commands.ts'
import { type Commands, PHRASE_FILE } from './commands.ts'

/** Those of keys, of types of sink, and of the configuration. */
export function addSetupCommands(commands: Commands): void {
  const { add, act, program } = commands
  const key = add('key', 'the keys of the vault', 'pipe-backup key check')
  add('show', 'print the public half', 'pipe-backup key show', key).action(() =>
    act(async (cli) => (await import('../commands/key-show.ts')).keyShow(cli)),
  )
  add(
    'check',
    'prove that a recovery phrase opens the vault',
    'pipe-backup key check --phrase-file /media/usb/phrase.txt',
    key,
  )
    .option(...PHRASE_FILE)
    .action((options: { phraseFile?: string }) =>
      act(async (cli) => (await import('../commands/key-check.ts')).keyCheck(cli, options)),
    )

  add(
    'add-recipient',
    'let another phrase open the vault: what is in it and what will be',
    'pipe-backup key add-recipient 3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29\npipe-backup key add-recipient --phrase-out /media/usb/partner.txt',
    key,
  )
    .argument(
      '[public-key]',
      'what `key generate` printed for the recipient; without it a new phrase is made',
    )
    .option(...PHRASE_FILE)
    .option('--phrase-out <file>', 'write the new phrase to a new file (0600); - is standard output')
    .action((publicKey: string | undefined, options: { phraseFile?: string; phraseOut?: string }) =>
      act(async (cli) =>
        (await import('../commands/key-add-recipient.ts')).keyAddRecipient(cli, publicKey, options),
      ),
    )
  add(
    'generate',
    'make a phrase for a recipient, and print its public key; needs no vault',
    'pipe-backup key generate --phrase-out /media/usb/my-phrase.txt',
    key,
  )
    .option('--phrase-out <file>', 'write the phrase to a new file (0600); - is standard output')
    .action((options: { phraseOut?: string }) =>
      act(async (cli) => (await import('../commands/key-generate.ts')).keyGenerate(cli, options)),
    )

  add(
    'hosts',
    'the hosts of the vault, what each may do, and which are revoked',
    'pipe-backup key hosts',
    key,
  )
    .option(...PHRASE_FILE)
    .action((options: { phraseFile?: string }) =>
      act(async (cli) => (await import('../commands/key-hosts.ts')).keyHosts(cli, options)),
    )
  add(
    'revoke',
    'trust a host no longer whose key was stolen: what it signs from now on counts for nothing',
    'pipe-backup key revoke tipbot1\npipe-backup key revoke 9f86d081884c7d659a2feaa0c55ad015 --since 2026-11-20T04:00',
    key,
  )
    .argument('<host>', 'its name, its id, or the first digits of that')
    .option('--since <time>', 'believe of it only what the sinks held before this')
    .option(...PHRASE_FILE)
    .action((host: string, options: { since?: string; phraseFile?: string }) =>
      act(async (cli) => (await import('../commands/key-revoke.ts')).keyRevoke(cli, host, options)),
    )

  for (const addCommands of Object.values(sinkCommands)) addCommands(commands)

  const config = add('config', 'the configuration', 'pipe-backup config check')
  add(
    'init',
    'ask what to back up, where to, how often, and who is notified; try it, and write a configuration',
    'pipe-backup config init',
    config,
  ).action(() => act(async (cli) => (await import('../commands/config-init.ts')).configInit(cli)))
  add(
    'check',
    'check the configuration, and touch nothing else',
    'pipe-backup config check --config /etc/pipe-backup/pipe-backup.yaml',
    config,
  ).action(() => act(async (cli) => (await import('../commands/config-check.ts')).configCheck(cli)))
  add(
    'schema',
    'print the JSON Schema of the configuration',
    'pipe-backup config schema > pipe-backup.schema.json',
    config,
  ).action(() => act(async () => (await import('../commands/config-schema.ts')).configSchemaCommand()))

  add(
    'completion',
    'print a script that makes a shell complete commands, options and names',
    'pipe-backup completion bash > ~/.local/share/bash-completion/completions/pipe-backup\n' +
      'echo "source <(pipe-backup completion zsh)" >> ~/.zshrc    # after compinit\n' +
      'pipe-backup completion fish > ~/.config/fish/completions/pipe-backup.fish',
  )
    .addArgument(new Argument('<shell>').choices(['bash', 'zsh', 'fish'] satisfies Shell[]))
    .action((shell: Shell) =>
      act(async () => (await import('../commands/completion.ts')).completion(program, shell)),
    )
}
