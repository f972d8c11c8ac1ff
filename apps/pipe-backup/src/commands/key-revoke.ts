import { listArchives } from '@pipe-backup/archive'
import { deriveKeys, type VaultKeys, vaultIdOf } from '@pipe-backup/crypto'
import type { Sink } from '@pipe-backup/sink'
import { type KnownHost, listHosts, type RevokeReport, revokeHost } from '@pipe-backup/vault'
import type { CliContext } from '../cli-context.ts'
import { openSinks } from '../providers/open-sinks.ts'
import { errorLine, sinkLine } from '../terminal/error-line.ts'
import { timeOption } from '../time-option.ts'
import { UsageError } from '../usage-error.ts'
import { openConfig, openSecrets } from '../vault/open-config.ts'
import { openMaster } from '../vault/vault-keys.ts'

export interface RevokeOptions {
  readonly since?: string | undefined
  readonly phraseFile?: string | undefined
}

/**
 * `key revoke`: a host whose key was stolen is trusted no longer. What it stored before is believed still, or, with `since`, only what it stored
 * before that.
 * @param host - its id, the first digits of that, or its name
 * @returns the exit code
 */
export async function keyRevoke(cli: CliContext, host: string, options: RevokeOptions): Promise<number> {
  const { output, signal } = cli
  if (cli.options.from.length > 0)
    throw new UsageError('--from is for commands that read; key revoke writes to every sink')
  const since = timeOption('--since', options.since)
  const config = await openConfig(cli)
  await using opened = await openSinks(config, { secrets: openSecrets(config, cli), signal })
  const { sinks } = opened
  const keys = await deriveKeys(await openMaster(sinks, cli, options.phraseFile))
  const onProblem = (error: Error): void => output.warn(errorLine(error))
  const hostId = selectHost(await listHosts({ sinks, keys, signal, onProblem }), host)
  const report = await revokeHost({
    sinks,
    vaultId: vaultIdOf(keys.publicKey),
    keys,
    hostId,
    since,
    believed: await archivesBefore(sinks, keys, hostId, since, cli),
    signal,
    onProblem,
  })
  return print(report, hostId, config.copies, cli)
}

/** @throws UsageError where it fits no host, or several */
function selectHost(hosts: readonly KnownHost[], spec: string): string {
  const isMeant = ({ id, name }: KnownHost): boolean =>
    name === spec || (spec.length >= 4 && id.startsWith(spec))
  const fitting = hosts.filter(isMeant)
  const [first, second] = fitting
  if (first && !second) return first.id
  if (/^[0-9a-f]{32}$/.test(spec)) return spec
  const list = (second ? fitting : hosts).map(({ id, name = '?' }) => `${id} (${name})`).join(', ')
  if (second) throw new UsageError(`"${spec}" fits several hosts: ${list}`, 'Give the id.')
  throw new UsageError(
    `no host "${spec}" has stored anything`,
    `Those that have: ${list || 'none'}. Of another, give the whole id: \`pipe-backup key show\` printed it there.`,
  )
}

/** SHA-256 of the archives that a host had sent before. */
async function archivesBefore(
  sinks: readonly Sink[],
  keys: VaultKeys,
  hostId: string,
  since: Date | undefined,
  { output, signal }: CliContext,
): Promise<string[]> {
  const { archives, failures } = await listArchives({ sinks, keys, signal })
  for (const [sink, error] of failures) output.warn(sinkLine(sink, errorLine(error)))
  return archives
    .filter((archive) => archive.hostId === hostId && (!since || archive.storedAt < since))
    .map(({ sha256 }) => sha256)
}

function print(
  { sinks, believed, refused }: RevokeReport,
  hostId: string,
  copies: number,
  { output }: CliContext,
): number {
  for (const { sink, error } of sinks) if (error) output.error(sinkLine(sink, errorLine(error)))
  const good = sinks.filter(({ error }) => !error).map(({ sink }) => sink)
  if (good.length > 0) {
    output.print(
      `host ${hostId} is revoked, on ${good.join(', ')}: what its key signs from now on counts for nothing`,
    )
    output.print(
      `snapshots of it that are believed: ${believed.length}${refused.length > 0 ? `; not any more: ${refused.length}` : ''}`,
    )
    for (const key of refused) output.print(`  ${key}`)
    output.print('Change the credentials of the sinks as well: whoever has its key may have these, too.')
  }
  if (good.length > 0 && good.length < sinks.length)
    output.print('The other sinks get it with the next `pipe-backup heal`.')
  output.printJson({
    hostId,
    believed,
    refused,
    sinks: sinks.map(({ sink, error }) => ({
      name: sink,
      state: error ? 'failed' : 'ok',
      error: error?.message,
    })),
  })
  return good.length === sinks.length ? 0 : good.length >= copies ? 3 : 1
}
