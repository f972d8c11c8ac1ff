import { seeded } from './simulated-server.ts'
import { PLACE_KINDS, PlaceServers } from './soak-places.ts'
import { KillTally, SoakVault } from './soak-vault.ts'

/** Vaults that are at work at a time: each runs one process. */
const AT_ONCE = 2

/** Kills processes of the real command, on sinks of all kinds in turn, until the tally is called enough. */
export async function soakKills(isEnough: (tally: KillTally) => boolean, seed: number): Promise<KillTally> {
  const tally = new KillTally()
  await using servers = await PlaceServers.start()
  const random = seeded(seed)
  const vaults: SoakVault[] = []
  try {
    for (const kind of PLACE_KINDS)
      vaults.push(await SoakVault.create((sandbox) => servers.place(kind, sandbox), random, tally))
    const waiting = [...vaults]
    const work = async (): Promise<void> => {
      while (!isEnough(tally) && tally.violations.length < 20) {
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
