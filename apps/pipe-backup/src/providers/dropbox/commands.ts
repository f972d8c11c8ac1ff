import type { Commands } from '../../program/commands.ts'
import type { DropboxLoginOptions } from './login.ts'

/** `dropbox login` */
export function addDropboxCommands({ add, act }: Commands): void {
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
    .action((options: DropboxLoginOptions) =>
      act(async (cli) => (await import('./login.ts')).dropboxLoginCommand(cli, options)),
    )
}
