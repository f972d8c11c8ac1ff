import type { Role } from '@pipe-backup/crypto'
import { Option } from 'commander'
import { type Commands, collect } from './commands.ts'

/** Those that make a vault and write to it. */
export function addStoreCommands({ add, act }: Commands): void {
  add(
    'init',
    'make the vault on every sink and show its recovery phrase once; or join a vault',
    'pipe-backup init --phrase-out /media/usb/phrase.txt\npipe-backup init --phrase-file /media/usb/phrase.txt',
  )
    .option(
      '--phrase-out <file>',
      'write the recovery phrase to a new file (0600) instead of showing it; - is standard output',
    )
    .option(
      '--phrase-file <file>',
      'join an existing vault with the phrase from this file; - is standard input',
    )
    .addOption(
      new Option('--role <role>', 'what this host may do: write snapshots alone, or prune and compact, too')
        .choices(['write', 'maintain'])
        .default(undefined, 'maintain, or what it may already'),
    )
    .action((options: { phraseOut?: string; phraseFile?: string; role?: Role }) =>
      act(async (cli) => (await import('../commands/init.ts')).init(cli, options)),
    )

  add(
    'run',
    'back up now',
    'pipe-backup run --source wallet\npipe-backup run --tag before-upgrade\nmysqldump shop | pipe-backup run --stdin database/shop.sql',
  )
    .addOption(
      new Option('--source <name>', 'only this source; again for another')
        .argParser(collect)
        .default([], 'all'),
    )
    .addOption(
      new Option('--tag <tag>', 'tag the snapshot with this; again for another')
        .argParser(collect)
        .default([], 'none'),
    )
    .option('--stdin <path>', 'store what is piped in as one entry, SOURCE/PATH')
    .option(
      '--force',
      'read every file, also those whose size and times are as they were, and sources that `every` lets rest',
    )
    .action((options: { source: string[]; tag: string[]; stdin?: string; force?: boolean }) =>
      act(async (cli) => (await import('../commands/run.ts')).run(cli, options)),
    )
}
