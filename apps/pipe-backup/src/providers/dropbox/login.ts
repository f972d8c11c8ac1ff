import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { dropboxLogin } from '@pipe-backup/sink-dropbox'
import { z } from 'zod'
import type { CliContext } from '../../cli-context.ts'
import { ifSet } from '../../config/if-set.ts'
import type { SecretConfig } from '../../config/values.ts'
import { isTaken, writeSecureFile } from '../../host/secure-file.ts'
import { hide } from '../../secrets/redact.ts'
import { UsageError } from '../../usage-error.ts'
import { openConfig } from '../../vault/open-config.ts'
import { findByName } from '../open-sinks.ts'
import { dropboxShape } from './sink.ts'

export interface DropboxLoginOptions {
  readonly appKey?: string | undefined
  readonly apiUrl?: string | undefined
  readonly sink?: string | undefined
  readonly tokenOut?: string | undefined
}

/** What a login is for. */
interface App {
  readonly appKey: string
  readonly apiUrl?: string | undefined
  /** The sink's name, in the configuration or for it. */
  readonly name: string
  /** Where the configuration looks for the token. */
  readonly tokenFile?: string | undefined
}

/** `dropbox login`: OAuth with PKCE by a person and a browser anywhere. The token goes to a file or a terminal. @returns the exit code */
export async function dropboxLoginCommand(cli: CliContext, options: DropboxLoginOptions): Promise<number> {
  const { machine, output, signal } = cli
  const { appKey, apiUrl, name, tokenFile } = await findApp(cli, options)
  const file = await chooseFile(options.tokenOut, tokenFile, cli)
  const login = await dropboxLogin({
    appKey,
    signal,
    ask: (url) => askForCode(url, signal),
    apiUrl,
  }).catch((error: unknown) => {
    throw error instanceof TypeError ? new UsageError(error.message) : error
  })
  const { refreshToken, accountId } = login
  hide(refreshToken)
  hide(login.accessToken)
  if (file !== undefined) await writeSecureFile(file, `${refreshToken}\n`)
  const shown = file === undefined ? refreshToken : `{ file: ${JSON.stringify(file)} }`
  if (options.tokenOut === '-') {
    if (!output.json) process.stdout.write(`${refreshToken}\n`)
  } else if (file !== undefined && file === tokenFile) {
    output.print(`refresh token: ${file}, where the configuration has it`)
  } else {
    if (file !== undefined) output.print(`refresh token: ${file}`)
    output.print(
      `for the configuration:\n  - { type: dropbox, name: ${name}, appKey: ${appKey}, refreshToken: ${shown} }`,
    )
  }
  const token = file === undefined ? { refreshToken } : { tokenFile: resolve(machine.cwd, file) }
  output.printJson({ appKey, accountId: accountId ?? null, ...token })
  return 0
}

/** From the options, or from a sink of the configuration. @throws UsageError */
async function findApp(cli: CliContext, { appKey, apiUrl, sink }: DropboxLoginOptions): Promise<App> {
  if (appKey !== undefined) {
    if (sink !== undefined)
      throw new UsageError('--sink has its app key in the configuration: give one of them')
    return { appKey, apiUrl, name: 'box' }
  }
  const config = await openConfig(cli)
  const boxes = config.sinks.filter(({ type }) => type === 'dropbox')
  const [first, second] = sink === undefined ? boxes : [findByName('sink of type dropbox', boxes, sink)]
  if (first === undefined || second !== undefined) {
    const names = boxes.map(({ name }) => name).join(', ')
    throw first === undefined
      ? new UsageError(`${config.file} has no sink of type dropbox`, APP_KEY_HINT)
      : new UsageError(`there are several sinks of type dropbox: ${names}`, 'Name one: --sink NAME.')
  }
  const box = z.object(dropboxShape).parse(first)
  if (box.appKey === undefined) throw new UsageError(`sink "${first.name}" has no appKey`, APP_KEY_HINT)
  const tokenFile = fileOf(box.refreshToken)
  return {
    appKey: box.appKey,
    apiUrl: apiUrl ?? box.apiUrl,
    name: first.name,
    tokenFile: ifSet(tokenFile, config.path),
  }
}

const APP_KEY_HINT =
  'Make an app with an app folder at https://www.dropbox.com/developers/apps, and give its key: --app-key KEY.'

function fileOf(token: SecretConfig | undefined): string | undefined {
  return typeof token === 'object' && 'file' in token ? token.file : undefined
}

/**
 * Where the token goes, decided before anybody is asked for anything.
 * @returns undefined for standard output
 * @throws UsageError where it would land in a log, or replace a file
 */
async function chooseFile(
  tokenOut: string | undefined,
  tokenFile: string | undefined,
  { machine, output, options }: CliContext,
): Promise<string | undefined> {
  if (tokenOut === '-') return undefined
  const file = tokenOut === undefined ? tokenFile : resolve(machine.cwd, tokenOut)
  if (file === undefined) {
    if (process.stdout.isTTY && !output.json && !options.quiet) return undefined
    throw new UsageError(
      'the refresh token has nowhere to go: standard output is no terminal',
      'Give --token-out FILE; - is standard output.',
    )
  }
  if (await isTaken(file))
    throw new UsageError(`${file} is there already; a token never replaces anything`, 'Move it away first.')
  return file
}

/** A code is for one use, within minutes, and of use to this login alone: it may be seen while it is typed. */
async function askForCode(url: string, signal: AbortSignal): Promise<string> {
  process.stderr.write(
    `Open this page in a browser, on any machine, and allow the app:\n\n  ${url}\n\nThe code that the page shows: `,
  )
  // Not by readline's own terminal mode: there Ctrl-C would not reach the process.
  const lines = createInterface({ input: process.stdin, terminal: false, signal })
  try {
    for await (const line of lines) return line
  } finally {
    // Nothing else is read; an input that stays open would hold the program open.
    process.stdin.destroy()
  }
  signal.throwIfAborted()
  process.stderr.write('\n')
  return ''
}
