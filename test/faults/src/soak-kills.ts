import { seeded } from './simulated-server.ts'
import { PLACE_KINDS, PlaceServers } from './soak-places.ts'
import { KillTally, SoakVault } from './soak-vault.ts'

/** Vaults that are at work at a time: each runs one process. */
const AT_ONCE = 2

/** Kills processes of the real command, on sinks of all kinds in turn, until the time is over. */
export async function soakKills(ms: number, seed: number): Promise<KillTally> {
  const tally = new KillTally()
  const until = performance.now() + ms
  await using servers = await PlaceServers.start()
  const random = seeded(seed)
  const vaults: SoakVault[] = []
  try {
    for (const kind of PLACE_KINDS)
      vaults.push(await SoakVault.create((sandbox) => servers.place(kind, sandbox), random, tally))
    const waiting = [...vaults]
    const work = async (): Promise<void> => {
      while (performance.now() < until && tally.violations.length < 20) {
        const vault = waiting.shift()
        if (!vault) return
        await vault.round()
        waiting.push(vault)
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, work))
  } finally {
    for (const vault of vaults) vault[Symbol.dispose]()
  }
  return tally
}
