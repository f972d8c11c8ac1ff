import { Argument, Command, Option } from 'commander'
import type { Shell } from './commands/completion.ts'
import type { GlobalOptions, Session } from './session.ts'

/** Runs a command with all that it needs, and keeps its exit code. */
export type Runner = (options: GlobalOptions, command: (session: Session) => Promise<number>) => Promise<void>

const PHRASE_FILE = [
  '--phrase-file <file>',
  'read the recovery phrase from a file; - is standard input',
] as const

/** The commands and their options. What they do is loaded when one is run: `--help` must not wait for it. */
export function createProgram(version: string, runner: Runner): Command {
  const program = new Command('pipe-backup')
    .description('Encrypted, deduplicated backups: one read, one encryption, many places at once.')
    .version(version, '--version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand(false)
    .option('--config <file>', 'the configuration file')
    .option('--json', 'print JSON on standard output, everything else on standard error')
    .option('--quiet', 'print errors only')
    .option('--verbose', 'print more')
    .option('--no-color', 'print without colours')
    .addOption(
      new Option('--from <sink>', 'read from this sink alone; again for a next one to try')
        .argParser(collect)
        .default([], 'all'),
    )
  const add = (words: string, description: string, example: string, parent: Command = program): Command =>
    parent
      .command(words)
      .description(description)
      .helpOption('-h, --help', 'print help')
      .configureHelp({ showGlobalOptions: true })
      .addHelpText('after', `\nExample:\n  ${example.replaceAll('\n', '\n  ')}`)
  const act = (work: (session: Session) => Promise<number>): Promise<void> =>
    runner({ ...UNSAID, ...program.opts<Partial<GlobalOptions>>() }, work)
  program.addHelpText(
    'after',
    '\nExample:\n  pipe-backup init\n  pipe-backup run\n  pipe-backup restore latest --to /tmp/restored',
  )

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
    .action((options: { phraseOut?: string; phraseFile?: string }) =>
      act(async (session) => (await import('./commands/init.ts')).init(session, options)),
    )

  add(
    'run',
    'back up now',
    'pipe-backup run --source wallet\nmysqldump shop | pipe-backup run --stdin database/shop.sql',
  )
    .addOption(
      new Option('--source <name>', 'only this source; again for another')
        .argParser(collect)
        .default([], 'all'),
    )
    .option('--stdin <path>', 'store what is piped in as one entry, SOURCE/PATH')
    .action((options: { source: string[]; stdin?: string }) =>
      act(async (session) => (await import('./commands/run.ts')).run(session, options)),
    )

  add('snapshots', 'list the snapshots, and which sinks hold each', 'pipe-backup snapshots --json')
    .option(...PHRASE_FILE)
    .action((options: { phraseFile?: string }) =>
      act(async (session) => (await import('./commands/snapshots.ts')).snapshots(session, options)),
    )

  add('ls', 'list what is in a snapshot', 'pipe-backup ls latest wallet/home/bot/.qrl')
    .argument('<snapshot>', SNAPSHOT)
    .argument('[path]', 'this entry and all below it')
    .option(...PHRASE_FILE)
    .action((snapshot: string, path: string | undefined, options: { phraseFile?: string }) =>
      act(async (session) => (await import('./commands/ls.ts')).ls(session, snapshot, path, options)),
    )

  add(
    'find',
    'find entries in all the snapshots, and which of them have each',
    "pipe-backup find '*.json'\npipe-backup find 'wallet/**/wallet.json' --snapshot latest",
  )
    .argument('<pattern>', PATTERN)
    .option('--snapshot <snapshot>', `search this one alone: ${SNAPSHOT}`)
    .option(...PHRASE_FILE)
    .action((pattern: string, options: { snapshot?: string; phraseFile?: string }) =>
      act(async (session) => (await import('./commands/find.ts')).find(session, pattern, options)),
    )

  add(
    'diff',
    'show what was added, removed and changed between two snapshots',
    'pipe-backup diff latest~1 latest',
  )
    .argument('<before>', SNAPSHOT)
    .argument('<after>', 'another')
    .option(...PHRASE_FILE)
    .action((before: string, after: string, options: { phraseFile?: string }) =>
      act(async (session) => (await import('./commands/diff.ts')).diff(session, before, after, options)),
    )

  add('cat', "print one file's bytes", 'pipe-backup cat latest database/shop.sql | mysql shop')
    .argument('<snapshot>', SNAPSHOT)
    .argument('<path>', "the file: its source's name first")
    .option(...PHRASE_FILE)
    .action((snapshot: string, path: string, options: { phraseFile?: string }) =>
      act(async (session) => (await import('./commands/cat.ts')).cat(session, snapshot, path, options)),
    )

  add(
    'restore',
    'restore into a directory, or as a tar on standard output',
    'pipe-backup restore latest wallet --to /tmp/restored\npipe-backup restore 2026-11-23T10:00 > all.tar',
  )
    .argument('<snapshot>', SNAPSHOT)
    .argument('[paths...]', 'these entries and all below them')
    .option('--to <dir>', 'restore below this directory')
    .addOption(
      new Option(
        '--overwrite <which>',
        'files that are there already: `changed` leaves those of the same size and modification time, `always` writes all again',
      )
        .choices(['changed', 'always'])
        .default('changed'),
    )
    .option('--repair', 'put back on their sinks, from other sinks, the objects that were found damaged')
    .option(...PHRASE_FILE)
    .action(
      (
        snapshot: string,
        paths: string[],
        options: { to?: string; overwrite: 'changed' | 'always'; repair?: boolean; phraseFile?: string },
      ) =>
        act(async (session) =>
          (await import('./commands/restore.ts')).restore(session, snapshot, paths, options),
        ),
    )

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
      act(async (session) => (await import('./commands/send.ts')).send(session, options)),
    )

  add('archives', 'list the archives, and which sinks hold each', 'pipe-backup archives --json')
    .option(...PHRASE_FILE)
    .action((options: { phraseFile?: string }) =>
      act(async (session) => (await import('./commands/archives.ts')).archives(session, options)),
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
      act(async (session) => (await import('./commands/receive.ts')).receive(session, archive, options)),
    )

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
    .option(...PHRASE_FILE)
    .action(
      (options: {
        deep?: boolean | undefined
        sample?: string | undefined
        drill?: string | boolean | undefined
        sink: string[]
        phraseFile?: string | undefined
      }) =>
        act(async (session) => {
          const { drill } = options
          if (drill === undefined) return (await import('./commands/verify.ts')).verify(session, options)
          const snapshot = typeof drill === 'string' ? drill : 'latest'
          return (await import('./commands/verify-drill.ts')).verifyDrill(
            session,
            snapshot,
            options.phraseFile,
          )
        }),
    )

  add(
    'heal',
    'bring every sink level with the others, and repair what verify has found',
    'pipe-backup heal\npipe-backup heal --sink new-disk',
  )
    .addOption(
      new Option('--sink <name>', 'only this sink, also when it is empty; again for another')
        .argParser(collect)
        .default([], 'all'),
    )
    .action((options: { sink: string[] }) =>
      act(async (session) => (await import('./commands/heal.ts')).heal(session, options)),
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
      act(async (session) => (await import('./commands/prune.ts')).prune(session, options)),
    )

  add(
    'status',
    "each sink's health and lag, the last good snapshot, the next run, size and growth",
    'pipe-backup status\npipe-backup status --json',
  )
    .option(...PHRASE_FILE)
    .action((options: { phraseFile?: string }) =>
      act(async (session) => (await import('./commands/status.ts')).status(session, options)),
    )

  add(
    'doctor',
    'try all that may fail at 3 a.m.: credentials, sinks, sources, clocks, space, and who is notified',
    'pipe-backup doctor\npipe-backup doctor --no-notify',
  )
    .option('--no-notify', 'send no test messages')
    .action((options: { notify: boolean }) =>
      act(async (session) => (await import('./commands/doctor.ts')).doctor(session, options)),
    )

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
      act(async (session) => {
        const commands = await import('./commands/schedule.ts')
        const name = { install: 'scheduleInstall', show: 'scheduleShow', remove: 'scheduleRemove' } as const
        return commands[name[word]](session, options)
      }),
    )
  }

  add('daemon', 'stay, and back up as `schedule` says', 'pipe-backup daemon --verbose').action(() =>
    act(async (session) => (await import('./commands/daemon.ts')).daemon(session)),
  )

  add(
    'scheduled',
    'do what a timer does: back up, and prune and verify a sample when they are due',
    'pipe-backup scheduled --quiet',
  ).action(() => act(async (session) => (await import('./commands/scheduled.ts')).scheduled(session)))

  const key = add('key', 'the keys of the vault', 'pipe-backup key check')
  add('show', 'print the public half', 'pipe-backup key show', key).action(() =>
    act(async (session) => (await import('./commands/key-show.ts')).keyShow(session)),
  )
  add(
    'check',
    'prove that a recovery phrase opens the vault',
    'pipe-backup key check --phrase-file /media/usb/phrase.txt',
    key,
  )
    .option(...PHRASE_FILE)
    .action((options: { phraseFile?: string }) =>
      act(async (session) => (await import('./commands/key-check.ts')).keyCheck(session, options)),
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
      act(async (session) =>
        (await import('./commands/key-add-recipient.ts')).keyAddRecipient(session, publicKey, options),
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
      act(async (session) => (await import('./commands/key-generate.ts')).keyGenerate(session, options)),
    )

  const dropbox = add('dropbox', 'a sink in a Dropbox', 'pipe-backup dropbox login')
  add(
    'login',
    'connect a Dropbox, with any browser; gives the refresh token for the configuration',
    'pipe-backup dropbox login --app-key abcdefghij12345 --token-out ~/.config/pipe-backup/dropbox-token',
    dropbox,
  )
    .option('--app-key <key>', "the app's key; default: that of the dropbox sink in the configuration")
    .option('--sink <name>', 'the sink, when the configuration has several in a Dropbox')
    .option('--token-out <file>', 'write the token to a new file (0600); - is standard output')
    .option('--api-url <url>', 'for a proxy; default: https://api.dropboxapi.com')
    .action((options: { appKey?: string; sink?: string; tokenOut?: string; apiUrl?: string }) =>
      act(async (session) =>
        (await import('./commands/dropbox-login.ts')).dropboxLoginCommand(session, options),
      ),
    )

  const config = add('config', 'the configuration', 'pipe-backup config check')
  add(
    'check',
    'check the configuration, and touch nothing else',
    'pipe-backup config check --config /etc/pipe-backup/pipe-backup.yaml',
    config,
  ).action(() => act(async (session) => (await import('./commands/config-check.ts')).configCheck(session)))
  add(
    'schema',
    'print the JSON Schema of the configuration',
    'pipe-backup config schema > pipe-backup.schema.json',
    config,
  ).action(() => act(async () => (await import('./commands/config-schema.ts')).configSchemaCommand()))

  add(
    'completion',
    'print a script that makes a shell complete commands, options and names',
    'pipe-backup completion bash > ~/.local/share/bash-completion/completions/pipe-backup\n' +
      'echo "source <(pipe-backup completion zsh)" >> ~/.zshrc    # after compinit\n' +
      'pipe-backup completion fish > ~/.config/fish/completions/pipe-backup.fish',
  )
    .addArgument(new Argument('<shell>').choices(['bash', 'zsh', 'fish'] satisfies Shell[]))
    .action((shell: Shell) =>
      act(async () => (await import('./commands/completion.ts')).completion(program, shell)),
    )
  return program
}

const UNSAID: GlobalOptions = { json: false, quiet: false, verbose: false, color: true, from: [] }

const SNAPSHOT = 'an id or its beginning, latest, latest~2, or a time such as 2026-11-23T10:00'

const PATTERN =
  "a name ('*.json') at any depth, a path from its source's name on ('wallet/**/*.json'), or one as on the machine ('/etc/*'); a slash at its end: directories alone"

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value]
}
