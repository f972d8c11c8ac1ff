import { listHosts } from '@pipe-backup/vault'
import type { CliContext } from '../cli-context.ts'
import { errorLine } from '../terminal/error-line.ts'
import { formatTime } from '../terminal/quantities.ts'
import { openListing } from '../vault/open-listing.ts'

/** `key hosts`: the hosts that have stored something, what each may do, and which are revoked. @returns the exit code */
export async function keyHosts(
  cli: CliContext,
  options: { readonly phraseFile?: string | undefined },
): Promise<number> {
  const { output, signal } = cli
  await using opened = await openListing(cli, options.phraseFile)
  const { sinks, keys } = opened
  const hosts = await listHosts({
    sinks,
    keys,
    signal,
    onProblem: (error) => output.warn(errorLine(error)),
  })
  if (hosts.length === 0) output.print('no host has stored anything yet')
  for (const host of hosts) {
    const { id, name = '?', role, isRevoked, snapshots, last } = host
    const state = isRevoked ? 'revoked' : role === 'maintain' ? 'maintains' : 'may write'
    const latest = last ? `, the last of ${formatTime(last)}` : ''
    const count = snapshots === 1 ? '1 snapshot' : `${snapshots} snapshots`
    output.print(`${id}  ${name.padEnd(16)}  ${state.padEnd(9)}  ${count}${latest}`)
    output.printJson({ ...host, name: host.name ?? null, last: last ?? null })
  }
  return 0
}
