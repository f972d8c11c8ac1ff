import { deriveKeys, generatePhrase, masterFromPhrase, vaultIdOf } from '@pipe-backup/crypto'
import type { Sink } from '@pipe-backup/sink'
import { addGrant, encodeHostKey } from '@pipe-backup/vault'
import type { CliContext } from '../cli-context.ts'
import { ifSet } from '../config/if-set.ts'
import type { LoadedConfig } from '../config/load-config.ts'
import { findHost } from '../host/load-host.ts'
import { replaceSecureFile } from '../host/secure-file.ts'
import { choosePhraseOutlet, type PhraseOutlet } from '../phrase/phrase-outlet.ts'
import { openSinks } from '../providers/open-sinks.ts'
import { hide } from '../secrets/redact.ts'
import { errorLine, sinkLine } from '../terminal/error-line.ts'
import { UsageError } from '../usage-error.ts'
import { openConfig, openSecrets } from '../vault/open-config.ts'
import { openMaster } from '../vault/vault-keys.ts'

export interface AddRecipientOptions {
  readonly phraseFile?: string | undefined
  readonly phraseOut?: string | undefined
}

/**
 * `key add-recipient`: lets another phrase open the vault, all that is in it and will be.
 * @param publicKey - of the recipient, 64 hex digits; without it a new phrase is made here
 * @returns the exit code
 */
export async function keyAddRecipient(
  cli: CliContext,
  publicKey: string | undefined,
  options: AddRecipientOptions,
): Promise<number> {
  if (cli.options.from.length > 0)
    throw new UsageError('--from is for commands that read; key add-recipient writes to every sink')
  if (publicKey !== undefined && options.phraseOut !== undefined)
    throw new UsageError('--phrase-out is for a phrase made here: give it or a public key')
  const given = ifSet(publicKey, parsePublicKey)
  const outlet = given ? undefined : await choosePhraseOutlet(options.phraseOut, cli)
  const config = await openConfig(cli)
  const secrets = openSecrets(config, cli)
  await using opened = await openSinks(config, { secrets, signal: cli.signal })
  const master = await openMaster(opened.sinks, cli, options.phraseFile)
  await using undo = new AsyncDisposableStack()
  const vaultId = vaultIdOf((await deriveKeys(master)).publicKey)
  const recipient = given ?? (await makeRecipient(outlet, vaultId, undo))
  const granted = await grant({ cli, config, sinks: opened.sinks }, master, recipient)
  undo.move()
  return print({ cli, config, sinks: opened.sinks }, granted, outlet)
}

interface Granting {
  readonly cli: CliContext
  readonly config: LoadedConfig
  readonly sinks: readonly Sink[]
}

interface Granted {
  readonly vaultId: string
  readonly recipient: string
  readonly results: Awaited<ReturnType<typeof addGrant>>
}

/** Lets a new phrase out, for as long as `undo` does not take it back. @returns its public key */
async function makeRecipient(
  outlet: PhraseOutlet | undefined,
  vaultId: string,
  undo: AsyncDisposableStack,
): Promise<Uint8Array> {
  const phrase = generatePhrase()
  hide(phrase)
  if (outlet) undo.defer(await outlet.give(phrase, vaultId))
  return (await deriveKeys(masterFromPhrase(phrase))).publicKey
}

/** @throws UsageError for what is no recipient; the first sink's error when it came to none */
async function grant(
  { cli, config, sinks }: Granting,
  master: Uint8Array,
  recipient: Uint8Array,
): Promise<Granted> {
  const vaultId = vaultIdOf((await deriveKeys(master)).publicKey)
  if (vaultIdOf(recipient) === vaultId)
    throw new UsageError("this is the vault's own public key: its phrase opens everything already")
  const results = await addGrant({ sinks, vaultId, master, recipient, signal: cli.signal }).catch(
    (error: unknown) => {
      throw error instanceof TypeError ? new UsageError(error.message) : error
    },
  )
  if (results.every(({ state }) => state === 'failed'))
    throw results[0]?.error ?? new Error('no sink is configured')
  await remember(config, vaultId, recipient)
  return { vaultId, recipient: toHex(recipient), results }
}

/** The run keys of this host are sealed to the recipient from now on: its packs can then be opened without the grant. */
async function remember(config: LoadedConfig, vaultId: string, recipient: Uint8Array): Promise<void> {
  const host = await findHost(config.hostKey)
  if (host?.vaultId !== vaultId || host.recipients.some((known) => toHex(known) === toHex(recipient))) return
  const recipients = [...host.recipients, recipient]
  await replaceSecureFile(config.hostKey, encodeHostKey({ ...host, recipients }))
}

function print(
  { cli: { output }, config }: Granting,
  { vaultId, recipient, results }: Granted,
  outlet: PhraseOutlet | undefined,
): number {
  for (const { sink, error } of results) if (error) output.error(sinkLine(sink, errorLine(error)))
  const good = results.filter(({ state }) => state !== 'failed').map(({ sink }) => sink)
  const say = outlet?.onStdout === true ? output.note : output.print
  say(`recipient ${recipient} can open vault ${vaultId}, on ${good.join(', ')}`)
  if (outlet?.file !== undefined)
    say(`its phrase: ${outlet.file}. Move it to other media, then remove it here.`)
  if (outlet === undefined)
    say(
      `Tell them the id on another way than the sinks, to be kept with their phrase, or given by --vault-id: ${vaultId}`,
    )
  say('Prove it, with its phrase: pipe-backup key check')
  output.printJson({
    vaultId,
    recipient,
    sinks: results.map(({ sink, state, error }) => ({
      name: sink,
      state,
      error: error?.message,
    })),
    ...outlet?.json(),
  })
  return good.length === results.length ? 0 : good.length >= config.copies ? 3 : 1
}

function parsePublicKey(text: string): Uint8Array {
  if (/^[0-9a-f]{64}$/i.test(text)) return Uint8Array.from(Buffer.from(text, 'hex'))
  throw new UsageError(
    `"${text}" is no public key: it has 64 hexadecimal digits`,
    'The recipient gets one, and its phrase, with "pipe-backup key generate".',
  )
}

function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
