import { Option } from 'commander'
import { type Commands, collect, PHRASE_FILE } from './commands.ts'

/** Those of archives that stand by themselves. */
export function addArchiveCommands({ add, act }: Commands): void {
  add(
    'send',
    'send one encrypted archive of the sources, or of what is piped in, to every sink at once; it needs nothing else of the vault',
    'pipe-backup send --source wallet --source config --name keys\ntar -c /srv | pipe-backup send --stdin srv',
  )
    .addOption(
      new Option('--source <name>', 'only this source; again for another')
        .argParser(collect)
        .default([], 'all'),
    )
    .option('--name <name>', 'what it is called; default: the name of the vault')
    .option('--stdin <name>', 'send what is piped in, as it is, by this name')
    .action((options: { source: string[]; name?: string; stdin?: string }) =>
      act(async (cli) => (await import('../commands/send.ts')).send(cli, options)),
    )

  add('archives', 'list the archives, and which sinks hold each', 'pipe-backup archives --json')
    .option(...PHRASE_FILE)
    .action((options: { phraseFile?: string }) =>
      act(async (cli) => (await import('../commands/archives.ts')).archives(cli, options)),
    )

  add(
    'receive',
    'decrypt an archive to standard output, from whichever sinks have it whole',
    'pipe-backup receive latest | tar -x\npipe-backup receive shop.sql --from disk | mysql shop',
  )
    .argument(
      '<archive>',
      'an id or its beginning, a name for the last one called so, latest, latest~2, or a time',
    )
    .option(...PHRASE_FILE)
    .action((archive: string, options: { phraseFile?: string }) =>
      act(async (cli) => (await import('../commands/receive.ts')).receive(cli, archive, options)),
    )
}
