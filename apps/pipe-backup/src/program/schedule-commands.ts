import { type Commands } from './commands.ts'

/** Those that make it happen by itself. */
export function addScheduleCommands({ add, act }: Commands): void {
  const schedule = add(
    'schedule',
    'a systemd timer or crontab line from `schedule`',
    'pipe-backup schedule install',
  )
  const SCHEDULERS = [
    ['--systemd', 'a systemd timer; the default where systemd runs the machine'],
    ['--cron', 'a line of the crontab; the default elsewhere'],
  ] as const
  for (const [word, description, example] of [
    ['install', 'install it, in the place of the one there was', 'pipe-backup schedule install'],
    [
      'show',
      'show what is installed, or would be, and when it runs next',
      'pipe-backup schedule show --systemd',
    ],
    ['remove', 'remove it', 'pipe-backup schedule remove'],
  ] as const) {
    const command = add(word, description, example, schedule)
    for (const [flag, meaning] of SCHEDULERS) command.option(flag, meaning)
    command.action((options: { systemd?: boolean; cron?: boolean }) =>
      act(async (cli) => {
        const commands = await import('../commands/schedule.ts')
        const name = { install: 'scheduleInstall', show: 'scheduleShow', remove: 'scheduleRemove' } as const
        return commands[name[word]](cli, options)
      }),
    )
  }

  add('daemon', 'stay, and back up as `schedule` says', 'pipe-backup daemon --verbose').action(() =>
    act(async (cli) => (await import('../commands/daemon.ts')).daemon(cli)),
  )

  add(
    'scheduled',
    'do what a timer does: back up, and prune and verify a sample when they are due',
    'pipe-backup scheduled --quiet',
  ).action(() => act(async (cli) => (await import('../commands/scheduled.ts')).scheduled(cli)))
}
