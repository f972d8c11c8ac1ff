import { buffer } from 'node:stream/consumers'
import { healArchives, listArchives, pruneArchives, receiveArchive } from '@pipe-backup/archive'
import type { MemorySink } from '@pipe-backup/sink/testing'
import { heal, listSnapshots, prune, verify } from '@pipe-backup/vault'
import { ARCHIVE_CONTENT } from './crash-scenarios.ts'
import { restored } from './restored.ts'
import { keys, type SmallVault } from './small-vault.ts'

/**
 * What becomes of a vault on which a process was killed: the next run, heal, prune and verify, as a schedule has them.
 * @param going - ids of snapshots that may be gone
 * @param fresh - what a snapshot that was never reported must restore to
 * @returns what is not as it must be
 */
export async function crashAftermath(
  vault: SmallVault,
  going: readonly string[],
  fresh: string,
): Promise<string[]> {
  const problems = await shownFlaws(vault, going, fresh)
  await adoptUnreported(vault, fresh)
  for (const id of going) vault.expected.delete(id)

  vault.live()
  const ran = await vault.backUp()
  if (ran.exitCode !== 0) problems.push(`the next run: ${JSON.stringify(ran)}`)
  // By then whoever was killed counts as dead.
  vault.passDays(3)
  const { call, stores: sinks } = vault
  const chosen = new Set(going)
  const choose = () => chosen
  const healed = await heal({ ...call, sinks, isNew: () => false })
  if (healed.exitCode !== 0) problems.push(`heal: ${JSON.stringify(healed)}`)
  const pruned = await prune({ ...call, sinks, choose, compact: true, graceMs: 0 })
  if (pruned.exitCode !== 0) problems.push(`prune: ${JSON.stringify(pruned)}`)
  const found = await verify({ ...call, sinks, deepKeys: keys })
  if (found.exitCode !== 0) problems.push(`verify: ${JSON.stringify(found)}`)
  for (const sink of sinks) problems.push(...(await vault.flawsOf(sink)), ...(await leftOn(sink)))
  problems.push(...(await archiveFlaws(vault)))
  return problems
}

/** Right after the crash: what each sink shows must open from it alone, whether it was reported or not. */
async function shownFlaws(vault: SmallVault, going: readonly string[], fresh: string): Promise<string[]> {
  const flaws: string[] = []
  for (const sink of vault.stores) {
    const shown = await listSnapshots({ sinks: [sink], keys })
    // What one that was uneven before lacks of older snapshots, no crash has taken.
    const isUneven = vault.uneven.has(sink.name)
    for (const snapshot of shown) {
      const expected = vault.expected.get(snapshot.id)
      const given = await restored([sink], keys, snapshot).catch((error: unknown) => String(error))
      if (given !== (expected ?? fresh) && !(isUneven && expected !== undefined))
        flaws.push(`after the crash snapshot ${snapshot.id} of ${sink.name}: ${given}`)
    }
    for (const id of vault.expected.keys()) {
      const isThere = shown.some((snapshot) => snapshot.id === id)
      if (!isThere && !going.includes(id) && !isUneven)
        flaws.push(`after the crash ${sink.name} does not show ${id}`)
    }
  }
  return flaws
}

/** It may be committed although nobody was told: then it is one as any other. */
async function adoptUnreported(vault: SmallVault, fresh: string): Promise<void> {
  for (const { id } of await listSnapshots({ sinks: vault.stores, keys }))
    if (!vault.expected.has(id)) vault.expected.set(id, fresh)
}

/** What nobody needs any more. */
async function leftOn(sink: MemorySink): Promise<string[]> {
  const heads = (await listSnapshots({ sinks: [sink], keys })).map(({ head }) => head)
  const needed = new Set(heads.flatMap(({ packs }) => packs.map(([name]) => name)))
  const isLeft = (key: string): boolean =>
    key.startsWith('sessions/') || (key.startsWith('packs/') && !needed.has(key.slice('packs/ab/'.length)))
  return [...sink.objects.keys()].filter(isLeft).map((key) => `${sink.name} has ${key} still`)
}

/** What has a proof is intact and gets to all; what has none goes. */
async function archiveFlaws({ stores: sinks, call: { now } }: SmallVault): Promise<string[]> {
  const flaws: string[] = []
  const healed = await healArchives({ sinks, keys, damaged: [] })
  for (const { name, error } of healed.sinks) if (error) flaws.push(`archives of ${name}: ${error.message}`)
  await pruneArchives({ sinks, keys, choose: () => new Set(), now })
  const { archives } = await listArchives({ sinks, keys })
  for (const archive of archives) {
    if (archive.holders.length !== sinks.length) flaws.push(`${archive.id} is not on every sink`)
    const content = await buffer(receiveArchive({ archive, identity: keys }))
    if (!content.equals(ARCHIVE_CONTENT)) flaws.push(`${archive.id} gives other bytes`)
  }
  for (const { name, objects } of sinks)
    for (const key of objects.keys())
      if (key.startsWith('archives/') && !archives.some(({ id }) => key.startsWith(`archives/${id}`)))
        flaws.push(`${name} has ${key} still`)
  return flaws
}
