import { type Commands, SNAPSHOT } from './commands.ts'

/** Those that say what is to become of single snapshots. */
export function addMarkCommands({ add, act }: Commands): void {
  add(
    'tag',
    'tag a snapshot, to find it again: snapshots --tag',
    'pipe-backup tag latest before-upgrade\npipe-backup tag 3f2a release 2.0\npipe-backup tag 3f2a release --remove',
  )
    .argument('<snapshot>', SNAPSHOT)
    .argument('<tags...>', 'texts of 1 to 128 bytes without commas')
    .option('--remove', 'take these tags off, as untag does')
    .action((snapshot: string, tags: string[], options: { remove?: boolean }) =>
      act(async (cli) => (await import('../commands/mark.ts')).tag(cli, snapshot, tags, options)),
    )

  add('untag', 'take tags off a snapshot', 'pipe-backup untag 3f2a release')
    .argument('<snapshot>', SNAPSHOT)
    .argument('<tags...>', 'those that go')
    .action((snapshot: string, tags: string[]) =>
      act(async (cli) => (await import('../commands/mark.ts')).tag(cli, snapshot, tags, { remove: true })),
    )

  add(
    'pin',
    'keep a snapshot, whatever `keep` says, until it is unpinned',
    'pipe-backup pin latest\npipe-backup pin 3f2a --remove',
  )
    .argument('<snapshot>', SNAPSHOT)
    .option('--remove', 'unpin it, as unpin does')
    .action((snapshot: string, options: { remove?: boolean }) =>
      act(async (cli) => (await import('../commands/mark.ts')).pin(cli, snapshot, options)),
    )

  add('unpin', 'let `keep` decide again whether a snapshot stays', 'pipe-backup unpin 3f2a')
    .argument('<snapshot>', SNAPSHOT)
    .action((snapshot: string) =>
      act(async (cli) => (await import('../commands/mark.ts')).pin(cli, snapshot, { remove: true })),
    )

  add(
    'forget',
    'remove these snapshots, whatever `keep` says; what then nothing needs is freed when the grace time is over',
    'pipe-backup forget 3f2a --dry-run\npipe-backup forget 3f2a 91bc',
  )
    .argument('<snapshots...>', SNAPSHOT)
    .option('--dry-run', 'show what would go, and how much it frees; change nothing')
    .option('--force', 'also one that is pinned, and the newest good one of a source')
    .action((snapshots: string[], options: { dryRun?: boolean; force?: boolean }) =>
      act(async (cli) => (await import('../commands/forget.ts')).forget(cli, snapshots, options)),
    )
}
