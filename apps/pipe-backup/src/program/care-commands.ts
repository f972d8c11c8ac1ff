import { Option } from 'commander'
import { UsageError } from '../usage-error.ts'
import { amongTagged, type Commands, collect, PHRASE_FILE } from './commands.ts'

/** Those that look after what is stored. */
export function addCareCommands({ add, act }: Commands): void {
  add(
    'verify',
    'prove what the sinks hold: every object there, whole, and as it was written',
    'pipe-backup verify --sample 2%\npipe-backup verify --deep --phrase-file /media/usb/phrase.txt',
  )
    .option('--deep', 'open every chunk too, and walk every manifest: needs the recovery phrase')
    .option('--sample <percent>', 'prove this part of the packs; the next time the next part')
    .option(
      '--drill [snapshot]',
      'restore a snapshot to nowhere, the newest unless another is named, and load dumps into scratch servers: needs the recovery phrase',
    )
    .addOption(
      new Option('--sink <name>', 'only this sink; again for another').argParser(collect).default([], 'all'),
    )
    .addOption(amongTagged('of a drill: '))
    .option(...PHRASE_FILE)
    .action(
      (options: {
        deep?: boolean | undefined
        sample?: string | undefined
        drill?: string | boolean | undefined
        sink: string[]
        tag: string[]
        phraseFile?: string | undefined
      }) =>
        act(async (cli) => {
          const { drill } = options
          if (drill === undefined) {
            if (options.tag.length > 0)
              throw new UsageError('--tag is for --drill: verify looks at every object')
            return (await import('../commands/verify.ts')).verify(cli, options)
          }
          const snapshot = typeof drill === 'string' ? drill : 'latest'
          return (await import('../commands/verify-drill.ts')).verifyDrill(cli, snapshot, options)
        }),
    )

  add(
    'heal',
    'copy to every sink what it lacks, and repair what verify has found',
    'pipe-backup heal\npipe-backup heal --sink new-disk',
  )
    .addOption(
      new Option('--sink <name>', 'only this sink, also when it is empty; again for another')
        .argParser(collect)
        .default([], 'all'),
    )
    .action((options: { sink: string[] }) =>
      act(async (cli) => (await import('../commands/heal.ts')).heal(cli, options)),
    )

  add(
    'prune',
    'remove the snapshots that `keep` does not keep, and free what nothing needs any more',
    'pipe-backup prune --dry-run\npipe-backup prune --compact',
  )
    .option('--dry-run', 'show what would go, and how much it frees; change nothing')
    .option('--compact', 'move what is live out of packs that are mostly dead, and put small packs together')
    .option('--force', 'also where more than half of what is there would go')
    .action((options: { dryRun?: boolean; compact?: boolean; force?: boolean }) =>
      act(async (cli) => (await import('../commands/prune.ts')).prune(cli, options)),
    )

  add(
    'status',
    "each sink's health and lag, the last good snapshot, the next run, size and growth",
    'pipe-backup status\npipe-backup status --json\npipe-backup status --html /srv/status/shop.html',
  )
    .option(
      '--html <file>',
      'also write it to this file as one HTML page with plots, which needs no script and loads nothing; readable by its owner alone, replaced at once',
    )
    .option(...PHRASE_FILE)
    .action((options: { phraseFile?: string; html?: string }) =>
      act(async (cli) => (await import('../commands/status.ts')).status(cli, options)),
    )

  add(
    'doctor',
    'try all that may fail at 3 a.m.: credentials, sinks, sources, clocks, space, and who is notified',
    'pipe-backup doctor\npipe-backup doctor --no-notify',
  )
    .option('--no-notify', 'send no test messages')
    .action((options: { notify: boolean }) =>
      act(async (cli) => (await import('../commands/doctor.ts')).doctor(cli, options)),
    )
}
