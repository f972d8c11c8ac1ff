import { vaultIdOf } from '@pipe-backup/crypto'
import { findVault, roleOf } from '@pipe-backup/vault'
import type { CliContext } from '../cli-context.ts'
import { findHost } from '../host/load-host.ts'
import { errorLine } from '../terminal/error-line.ts'
import { openConfig, openReadingSinks } from '../vault/open-config.ts'
import { noVault } from '../vault/vault-keys.ts'

/** `key show`: the public half, from the host key file or else from the sinks. @returns the exit code */
export async function keyShow(cli: CliContext): Promise<number> {
  const { output, signal } = cli
  const config = await openConfig(cli)
  const host = await findHost(config.hostKey)
  if (host !== undefined) {
    const { vaultId, hostId, keys, recipients } = host
    return show(cli, {
      vaultId,
      publicKey: toHex(keys.publicKey),
      hostId,
      role: roleOf(host),
      hostKey: config.hostKey,
      recipients: recipients.map(toHex),
    })
  }
  await using opened = await openReadingSinks(config, cli)
  const found = await findVault({
    sinks: opened.sinks,
    signal,
    onProblem: (error) => output.warn(errorLine(error)),
  })
  if (found === undefined) throw noVault(opened.sinks)
  return show(cli, {
    vaultId: vaultIdOf(found.publicKey),
    publicKey: toHex(found.publicKey),
    sinks: found.sinks,
  })
}

function show({ output }: CliContext, facts: Readonly<Record<string, string | readonly string[]>>): number {
  for (const [key, value] of Object.entries(facts)) {
    const text = typeof value === 'string' ? value : value.join(', ')
    if (text !== '') output.print(`${key.padEnd(10)} ${text}`)
  }
  output.printJson(facts)
  return 0
}

function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
