import { Option } from 'commander'
import type { SnapshotFilters } from '../find/filter-snapshots.ts'
import {
  amongTagged,
  type Commands,
  collect,
  PATTERN,
  PHRASE_FILE,
  portNumber,
  SNAPSHOT,
  wholeNumber,
} from './commands.ts'

/** Those that read what is in a vault. */
export function addReadCommands({ add, act }: Commands): void {
  add(
    'snapshots',
    'list the snapshots, which sinks hold each, and which are pinned and tagged',
    'pipe-backup snapshots --json\npipe-backup snapshots --source wallet --since 2026-11-01\npipe-backup snapshots --tag release',
  )
    .addOption(
      new Option('--source <name>', 'only those with this source; again for another')
        .argParser(collect)
        .default([], 'all'),
    )
    .addOption(
      new Option('--host <host>', 'only those of this host, by its name or id; again for another')
        .argParser(collect)
        .default([], 'all'),
    )
    .addOption(
      new Option('--tag <tag>', 'only those with this tag; again for another')
        .argParser(collect)
        .default([], 'all'),
    )
    .option('--since <time>', 'only those of this time and later: 2026-11-23, or 2026-11-23T10:00')
    .option('--before <time>', 'only those before this time')
    .option(...PHRASE_FILE)
    .action((options: SnapshotFilters & { phraseFile?: string }) =>
      act(async (cli) => (await import('../commands/snapshots.ts')).snapshots(cli, options)),
    )

  add(
    'ls',
    'list what is in a snapshot',
    "pipe-backup ls latest wallet/home/bot/.qrl\npipe-backup ls latest 'wallet/**/*.json'\npipe-backup ls latest wallet/home --depth 1",
  )
    .argument('<snapshot>', SNAPSHOT)
    .argument('[path]', `this entry and all below it, or, where there is none, what matches: ${PATTERN}`)
    .addOption(
      new Option(
        '--depth <levels>',
        'no more than so many levels below that: 0 is the entry alone',
      ).argParser(wholeNumber),
    )
    .addOption(amongTagged())
    .option(...PHRASE_FILE)
    .action(
      (
        snapshot: string,
        path: string | undefined,
        options: { depth?: number; tag: string[]; phraseFile?: string },
      ) => act(async (cli) => (await import('../commands/ls.ts')).ls(cli, snapshot, path, options)),
    )

  add(
    'find',
    'find entries in all the snapshots, and which of them have each',
    "pipe-backup find '*.json'\npipe-backup find 'wallet/**/wallet.json' --snapshot latest",
  )
    .argument('<pattern>', PATTERN)
    .option('--snapshot <snapshot>', `search this one alone: ${SNAPSHOT}`)
    .addOption(amongTagged())
    .option(...PHRASE_FILE)
    .action((pattern: string, options: { snapshot?: string; tag: string[]; phraseFile?: string }) =>
      act(async (cli) => (await import('../commands/find.ts')).find(cli, pattern, options)),
    )

  add(
    'history',
    'show when a path was added, changed and removed, and which snapshot to restore each version from',
    'pipe-backup history wallet/home/bot/.qrl/wallet.json',
  )
    .argument('<path>', "a file, a link or a directory: its source's name first")
    .addOption(amongTagged())
    .option(...PHRASE_FILE)
    .action((path: string, options: { tag: string[]; phraseFile?: string }) =>
      act(async (cli) => (await import('../commands/history.ts')).history(cli, path, options)),
    )

  add(
    'diff',
    'show what was added, removed and changed between two snapshots',
    'pipe-backup diff latest~1 latest',
  )
    .argument('<before>', SNAPSHOT)
    .argument('<after>', 'another')
    .addOption(amongTagged())
    .option(...PHRASE_FILE)
    .action((before: string, after: string, options: { tag: string[]; phraseFile?: string }) =>
      act(async (cli) => (await import('../commands/diff.ts')).diff(cli, before, after, options)),
    )

  add('cat', "print one file's bytes", 'pipe-backup cat latest database/shop.sql | mysql shop')
    .argument('<snapshot>', SNAPSHOT)
    .argument('<path>', "the file: its source's name first")
    .addOption(amongTagged())
    .option(...PHRASE_FILE)
    .action((snapshot: string, path: string, options: { tag: string[]; phraseFile?: string }) =>
      act(async (cli) => (await import('../commands/cat.ts')).cat(cli, snapshot, path, options)),
    )

  add(
    'restore',
    'restore into a directory, or as a tar on standard output',
    "pipe-backup restore latest wallet --to /tmp/restored\npipe-backup restore latest --in-place --dry-run\npipe-backup restore latest --include '*.json' --to /tmp/restored\npipe-backup restore 2026-11-23T10:00 > all.tar",
  )
    .argument('<snapshot>', SNAPSHOT)
    .argument('[paths...]', 'these entries and all below them')
    .option('--to <dir>', 'restore below this directory')
    .addOption(
      new Option(
        '--in-place',
        'put files back where they were; what is of no files source, such as a dump, is left out',
      ).conflicts(['to', 'strip']),
    )
    .addOption(
      new Option('--include <pattern>', `only what matches, with all below it; again for another: ${PATTERN}`)
        .argParser(collect)
        .default([], 'all'),
    )
    .addOption(
      new Option('--exclude <pattern>', 'not what matches, and nothing below it; again for another')
        .argParser(collect)
        .default([], 'none'),
    )
    .addOption(
      new Option(
        '--overwrite <which>',
        'what is there already: `changed` leaves files of the same size and modification time, `always` writes all again, `never` leaves everything',
      )
        .choices(['changed', 'always', 'never'])
        .default('changed'),
    )
    .option('--dry-run', 'say what would be written, and in place of what; write nothing')
    .addOption(
      new Option(
        '--strip <count>',
        'take so many components off the beginning of each path, as tar does: with 1, the name of the source',
      ).argParser(wholeNumber),
    )
    .option('--repair', 'put back on their sinks, from other sinks, the objects that were found damaged')
    .addOption(amongTagged())
    .option(...PHRASE_FILE)
    .action(
      (
        snapshot: string,
        paths: string[],
        options: {
          to?: string
          inPlace?: boolean
          include: readonly string[]
          exclude: readonly string[]
          overwrite: 'changed' | 'always' | 'never'
          dryRun?: boolean
          strip?: number
          repair?: boolean
          tag: readonly string[]
          phraseFile?: string
        },
      ) =>
        act(async (cli) => (await import('../commands/restore.ts')).restore(cli, snapshot, paths, options)),
    )

  add(
    'ui',
    'serve a page on this machine alone: how the vault stands, its snapshots and what is in them, downloads and restores, and run, verify and heal',
    'pipe-backup ui\npipe-backup ui --port 8080',
  )
    .addOption(
      new Option('--port <number>', 'where it listens, on 127.0.0.1; default: any that is free').argParser(
        portNumber,
      ),
    )
    .action((options: { port?: number }) =>
      act(async (cli) => (await import('../commands/ui.ts')).ui(cli, options)),
    )

  add(
    'mount',
    'show all snapshots as read-only WebDAV, on this machine alone, to file managers, rclone, davfs2 and browsers',
    'pipe-backup mount --phrase-file /media/usb/phrase',
  )
    .addOption(
      new Option('--port <port>', 'of 127.0.0.1; without it any that is free')
        .argParser(portNumber)
        .default(0, 'free'),
    )
    .addOption(amongTagged())
    .option(...PHRASE_FILE)
    .action((options: { port: number; tag: string[]; phraseFile?: string }) =>
      act(async (cli) => (await import('../commands/mount.ts')).mount(cli, options)),
    )
}
