import { rm } from 'node:fs/promises'
import { resolve } from 'node:path'
import { deriveKeys, generatePhrase, masterFromPhrase, type Role, vaultIdOf } from '@pipe-backup/crypto'
import type { Sink } from '@pipe-backup/sink'
import {
  createVaultHost,
  encodeHostKey,
  initVault,
  roleOf,
  type VaultHost,
  withRole,
} from '@pipe-backup/vault'
import type { CliContext } from '../cli-context.ts'
import { CommandError } from '../command-error.ts'
import type { LoadedConfig } from '../config/load-config.ts'
import { findHost } from '../host/load-host.ts'
import { replaceSecureFile, SecureFileError, writeSecureFile } from '../host/secure-file.ts'
import { choosePhraseOutlet, type PhraseOutlet } from '../phrase/phrase-outlet.ts'
import { openSinks } from '../providers/open-sinks.ts'
import { refuseSharedLocations } from '../providers/shared-locations.ts'
import { hide } from '../secrets/redact.ts'
import { errorLine, sinkLine } from '../terminal/error-line.ts'
import { UsageError } from '../usage-error.ts'
import { findVaultToJoin } from '../vault/find-vault-to-join.ts'
import { rememberSinks } from '../vault/known-sinks.ts'
import { openConfig, openSecrets } from '../vault/open-config.ts'
import { openGranted, readMaster } from '../vault/vault-keys.ts'

export interface InitOptions {
  readonly phraseOut?: string | undefined
  readonly phraseFile?: string | undefined
  /** Default `maintain`, and of a host that has a key already what it may. */
  readonly role?: Role | undefined
}

/** What `init` needs, whether it makes a vault or joins one. */
interface Making {
  readonly cli: CliContext
  readonly config: LoadedConfig
  readonly sinks: readonly Sink[]
}

type InitResults = Awaited<ReturnType<typeof initVault>>

/** `init`: makes the vault on every sink, or joins the one there is. @returns the exit code */
export async function init(cli: CliContext, options: InitOptions): Promise<number> {
  const { phraseOut, phraseFile, role } = options
  if (cli.options.from.length > 0)
    throw new UsageError('--from is for commands that read; init writes to every sink')
  if (phraseOut !== undefined && phraseFile !== undefined) {
    throw new UsageError(
      '--phrase-out is for a new vault, --phrase-file is for joining one: give one of them',
    )
  }
  // Whoever says where a new phrase goes wants a new one, whatever the environment holds.
  const joining = phraseFile !== undefined || (phraseOut === undefined && cli.phraseVariable !== undefined)
  const outlet = joining ? undefined : await choosePhraseOutlet(phraseOut, cli, goOnHint)
  const config = await openConfig(cli)
  await refuseSharedLocations(config)
  const secrets = openSecrets(config, cli)
  // A new vault wants all that is configured. Who comes with a phrase may have lost the rest: a sink whose secret is not at hand fails alone.
  const opening = { secrets, signal: cli.signal, create: outlet === undefined ? () => true : true }
  await using opened = await openSinks(config, opening)
  const making = { cli, config, sinks: opened.sinks }
  return outlet === undefined ? await join(making, phraseFile, role) : await create(making, outlet, role)
}

async function create(
  { cli, config, sinks }: Making,
  outlet: PhraseOutlet,
  role: Role | undefined,
): Promise<number> {
  const known = await findHost(config.hostKey)
  if (known !== undefined) {
    throw new CommandError(
      'vault-exists',
      `this host has the key of vault ${known.vaultId} already: ${config.hostKey}`,
      JOIN_HINT,
    )
  }
  const found = await findVaultToJoin(sinks, cli)
  if (found !== undefined) {
    const names = found.sinks.map((name) => `"${name}"`).join(', ')
    throw new CommandError('vault-exists', `there is a vault already on ${names}: ${found.id}`, JOIN_HINT)
  }
  const phrase = generatePhrase()
  hide(phrase)
  const host = createVaultHost(await deriveKeys(masterFromPhrase(phrase)), role)
  // The phrase comes first, then the key, then the vault: whoever is killed in between, or whose machine loses its power, has a phrase that opens
  // what there is, and can join with it. A key without a phrase would be in the way of the next try.
  await using undo = new AsyncDisposableStack()
  undo.defer(await outlet.give(phrase))
  await writeHostKey(config.hostKey, host)
  undo.defer(() => rm(config.hostKey, { force: true }))
  const results = await makeVault({ sinks, config, cli }, host)
  undo.move()
  return print({ cli, config, sinks }, host, results, outlet)
}

const goOnHint = (file: string): string =>
  `Was an init cut short that wrote it? Go on with it: pipe-backup init --phrase-file ${file}. Otherwise name another file.`

const JOIN_HINT = 'To join a vault give its phrase: pipe-backup init --phrase-file FILE.'

async function join(
  { cli, config, sinks }: Making,
  phraseFile: string | undefined,
  role: Role | undefined,
): Promise<number> {
  const own = await readMaster(cli, phraseFile, sinks)
  const found = await findVaultToJoin(sinks, cli)
  const isOwn = found === undefined || found.id === vaultIdOf((await deriveKeys(own.master)).publicKey)
  const keys = await deriveKeys(isOwn ? own.master : await openGranted(own, found.id, sinks, cli))
  const vaultId = vaultIdOf(keys.publicKey)
  const known = await findHost(config.hostKey)
  if (known !== undefined && known.vaultId !== vaultId) {
    const hint =
      'Move it away if it is no longer needed, or name this vault or its hostKey otherwise in the configuration.'
    throw new CommandError(
      'vault-exists',
      `${config.hostKey} is the key of another vault, ${known.vaultId}`,
      hint,
    )
  }
  const host =
    known && role !== undefined ? withRole(known, keys, role) : (known ?? createVaultHost(keys, role))
  await using undo = new AsyncDisposableStack()
  if (known === undefined) {
    await writeHostKey(config.hostKey, host)
    undo.defer(() => rm(config.hostKey, { force: true }))
  } else if (host !== known) await replaceSecureFile(config.hostKey, encodeHostKey(host))
  const results = await makeVault({ sinks, config, cli }, host)
  undo.move()
  if (found === undefined)
    cli.output.warn('no sink that answers held this vault: it begins again, without a snapshot')
  return print({ cli, config, sinks }, host, results)
}

async function writeHostKey(file: string, host: VaultHost): Promise<void> {
  await writeSecureFile(file, encodeHostKey(host)).catch((error: unknown) => {
    throw error instanceof SecureFileError ? new CommandError('vault-exists', error.message) : error
  })
}

/** @throws the first sink's error when not one of them holds the vault in the end */
async function makeVault({ sinks, config, cli }: Making, host: VaultHost): Promise<InitResults> {
  const { signal } = cli
  const results = await initVault({ sinks, publicKey: host.keys.publicKey, signal })
  signal.throwIfAborted()
  const holders = results.filter(({ state }) => state !== 'failed').map(({ sink }) => sink)
  await rememberSinks(config.state, holders, cli.output)
  if (results.some(({ state }) => state !== 'failed')) return results
  throw results[0]?.error ?? new Error('no sink could be used')
}

function print(
  { cli, config }: Making,
  host: VaultHost,
  results: InitResults,
  outlet?: PhraseOutlet,
): number {
  const { output } = cli
  for (const { sink, error } of results)
    if (error !== undefined) output.error(sinkLine(sink, errorLine(error)))
  const namesOf = (wanted: string): string =>
    results
      .filter(({ state }) => state === wanted)
      .map(({ sink }) => sink)
      .join(', ')
  const say = outlet?.onStdout === true ? output.note : output.print
  if (namesOf('created') !== '') say(`vault ${host.vaultId} made on ${namesOf('created')}`)
  if (namesOf('joined') !== '') say(`vault ${host.vaultId} joined on ${namesOf('joined')}`)
  say(
    `host key: ${config.hostKey}${roleOf(host) === 'write' ? ', which may write snapshots, and not prune' : ''}`,
  )
  if (outlet?.file !== undefined)
    say(`recovery phrase: ${resolve(outlet.file)}. Move it to other media, then remove it here.`)
  output.printJson({
    vaultId: host.vaultId,
    hostId: host.hostId,
    hostKey: config.hostKey,
    role: roleOf(host),
    sinks: results.map(({ sink, state, error }) => ({
      name: sink,
      state,
      error: error?.message,
    })),
    ...outlet?.json(),
  })
  const good = results.filter(({ state }) => state !== 'failed').length
  return good === results.length ? 0 : good >= config.copies ? 3 : 1
}
