import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { S3Store } from '@pipe-backup-test/services'
import { difference, Sandbox } from './sandbox.ts'

const HOSTS = ['host-1', 'host-2', 'host-3', 'host-4', 'host-5'] as const
const ROUNDS = 3

/** What a host has in a round: files of its own that change, and what all of them have in common. */
function live(directory: string, host: string, round: number): void {
  mkdirSync(directory, { recursive: true })
  rmSync(join(directory, `round-${round - 2}`), { force: true })
  writeFileSync(join(directory, `round-${round}`), Buffer.alloc(400_000, `${host} ${round} `))
  writeFileSync(join(directory, 'state'), `${host} in round ${round}`)
  writeFileSync(join(directory, 'common'), Buffer.alloc(300_000, 'the same everywhere '))
}

/** Five hosts that may write and one that prunes share a store, all at once. @returns what is wrong in the end: nothing when all is there */
export async function livesOfFleet(server: S3Store): Promise<string[]> {
  const wrong: string[] = []
  using sandbox = new Sandbox()
  const { endpoint, region, accessKeyId, secretAccessKey } = server
  const sink = { type: 's3', name: 'store', bucket: 'fleet', prefix: 'vault', endpoint, region, accessKeyId }
  const more = { secretAccessKey, forcePathStyle: true }
  const configOf = (host: string): string => sandbox.path(`${host}.json`)
  const command = async (host: string, ...args: string[]): Promise<string> =>
    (await sandbox.ok(['--config', configOf(host), ...args], { machine: host })).toString()
  for (const host of [...HOSTS, 'keeper'])
    writeFileSync(
      configOf(host),
      JSON.stringify({
        vault: 'fleet',
        host,
        sources: [{ type: 'files', name: 'data', paths: [join('trees', host)] }],
        sinks: [{ ...sink, ...more }],
        keep: { last: 1 },
        // So that packs are deleted while others write, not a day later.
        grace: '0s',
      }),
      { mode: 0o600 },
    )
  const tree = (host: string): string => sandbox.path('trees', host)

  live(tree('keeper'), 'keeper', 0)
  await command('keeper', 'init', '--phrase-out', 'phrase')
  const joining = ['init', '--role', 'write', '--phrase-file', 'phrase']
  await Promise.all(HOSTS.map(async (host) => await command(host, ...joining)))

  for (let round = 0; round < ROUNDS; round++) {
    for (const host of HOSTS) live(tree(host), host, round)
    const pruned = command('keeper', 'prune', '--compact', '--force', '--json')
    await Promise.all([pruned, ...HOSTS.map(async (host) => await command(host, 'run'))])
  }
  // A host that may write alone is refused, and what a timer does leaves pruning to the other.
  const refused = await sandbox.run(['--config', configOf('host-1'), 'prune'], { machine: 'host-1' })
  if (refused.code !== 1) wrong.push(`a prune by a host that may write alone ended with ${refused.code}`)
  await command('keeper', 'prune', '--compact', '--force')

  await command('keeper', 'verify', '--deep', '--phrase-file', 'phrase')
  const listed = (await command('keeper', 'snapshots', '--json')).trim().split('\n')
  const snapshots = listed.map((line) => JSON.parse(line) as { readonly id: string; readonly host: string })
  for (const host of HOSTS) {
    const latest = snapshots.filter((snapshot) => snapshot.host === host).at(-1)
    const to = `restored/${host}`
    await command('keeper', 'restore', latest?.id ?? '', '--to', to, '--phrase-file', 'phrase')
    const lost = await difference(tree(host), sandbox.path(to, `data${tree(host)}`))
    if (lost !== '') wrong.push(`${host}: ${lost}`)
  }
  return wrong
}
