import { afterAll, expect, test } from 'vitest'
import { damageBase, KINDS, type Kind } from './damage-base.ts'
import { ended, healAll, names, openGrants, pruneBeside, restore, verifyAll } from './damage-checks.ts'
import { type Cell, cellsOf, PLANTED } from './damages.ts'
import type { SmallVault } from './small-vault.ts'

const base = await damageBase()
afterAll(() => base.vault[Symbol.dispose]())

const everything: ReadonlySet<string> = new Set(
  [...base.vault.files].flatMap(([id, files]) => [...files.keys()].map((path) => `${id} ${path}`)),
)

/** Which files are lost with an object that no sink has whole. */
const LOST_WITH: Readonly<Partial<Record<Kind, (file: string) => boolean>>> = {
  'data pack': (file) => file.startsWith(`${base.newest} moving/`),
  'pack of nodes': (file) => file.includes(' steady/'),
  snapshot: (file) => file.startsWith(base.newest),
}

/**
 * Cells of no consequence, which no verification names. A session holds up a prune, and says nothing of what is stored. Trash that is gone
 * condemns again when the next prune looks. An index is a cache. An older version of a snapshot says the same of packs that are there
 * still. The last byte of `vault.json` is the end of a line.
 */
function isOfNoConsequence({ kind, damage: { name }, where }: Cell): boolean {
  // A mark that is gone from all the sinks is known to nobody.
  if (kind === 'mark') return name === 'deleted' && where.length > 1
  if (name === 'deleted') return ['session', 'trash', 'index'].includes(kind)
  if (kind === 'vault.json') return name === 'cut before its last byte'
  return kind === 'session' || name === 'rolled back'
}

/** What nobody without the recipient's phrase can know: that there was a grant. */
function isRecipientsAffair({ kind, damage: { name }, where }: Cell): boolean {
  if (kind !== 'grant') return false
  return name === 'deleted' && where.length > 1
}

/** A sink of another vault: it may be a wrong path, so that nothing is changed there. */
function isOtherVault({ kind, damage }: Cell): boolean {
  return kind === 'vault.json' && damage.name === 'of another vault'
}

/** What is damaged on all sinks, and of which nobody can make another. */
function isLostForGood({ kind, damage: { name }, where }: Cell): boolean {
  if (where.length === 1 || name.startsWith(PLANTED) || name === 'rolled back') return false
  // One that is gone is not known, and a forged one is taken away.
  if (kind === 'mark') return name !== 'deleted' && !name.startsWith('forged')
  return kind.includes('pack') || kind === 'snapshot' || kind === 'grant'
}

/** A cell in the making: what was done where. */
interface Case {
  readonly cell: Cell
  readonly vault: SmallVault
  /** Keys of what is damaged, by sink. */
  readonly damaged: ReadonlyMap<string, string>
  readonly flaws: string[]
}

async function mustBeFound({ cell, vault, damaged, flaws }: Case): Promise<void> {
  const isUnseen = isOfNoConsequence(cell) || isRecipientsAffair(cell)
  const isShallowEnough = !isUnseen && !cell.damage.name.startsWith(PLANTED)
  const shallow = isShallowEnough ? await ended(flaws, 'verify', verifyAll(vault, false)) : undefined
  const deep = await ended(flaws, 'verify --deep', verifyAll(vault, true))
  for (const [what, report] of Object.entries(isShallowEnough ? { shallow, deep } : { deep })) {
    if (isUnseen && report?.exitCode !== 0) flaws.push(`${what}: what is of no consequence is named`)
    for (const [sink, key] of isUnseen ? [] : damaged) {
      const error = report?.sinks.find(({ name }) => name === sink)?.error
      const isNamed = isOtherVault(cell)
        ? error?.includes(`sink "${sink}" holds another vault`)
        : names(report, sink, key)
      if (!isNamed) flaws.push(`${what}: ${key} is not named on ${sink}: ${error}`)
    }
  }
  const [key = ''] = damaged.values()
  const isLost = isLostForGood(cell) && cell.kind.includes('pack')
  const lost = deep?.lost.some((one) => one.key === key && one.snapshots.includes(base.newest)) ?? false
  if (lost !== isLost) flaws.push(`verify says that ${key} is ${lost ? '' : 'not '}lost`)
}

/** From the damaged sink alone nothing comes back wrong, from all together all but what is lost. */
async function mustRestore({ cell, vault, damaged, flaws }: Case): Promise<void> {
  if (cell.where.length === 1) await restore(vault, [vault.store('a')], flaws)
  const { right, said } = await restore(vault, vault.stores, flaws)
  const missing = [...everything].filter((file) => !right.has(file))
  const isExcused = (file: string) => isLostForGood(cell) && (LOST_WITH[cell.kind]?.(file) ?? false)
  for (const file of missing) if (!isExcused(file)) flaws.push(`${file} is not restored: ${said}`)
  const [key = ''] = damaged.values()
  // Of a snapshot that is shown nowhere a verification alone knows.
  const isSilent = cell.kind === 'snapshot' && cell.damage.name === 'deleted'
  if (missing.length > 0 && !isSilent && !said.includes(key)) flaws.push(`restore does not name ${key}`)
  if (cell.kind !== 'grant') return
  await openGrants(vault, [vault.store('a')], flaws)
  const opened = await openGrants(vault, vault.stores, flaws)
  if (opened !== (cell.where.length === 1 ? 2 : 1)) flaws.push(`${opened} of two grants open`)
}

async function mustHeal({ cell, vault, damaged, flaws }: Case): Promise<void> {
  const healed = await ended(flaws, 'heal', healAll(vault))
  const after = await ended(flaws, 'verify --deep after heal', verifyAll(vault, true))
  const [key = ''] = damaged.values()
  if (isOtherVault(cell) || (isLostForGood(cell) && !isRecipientsAffair(cell))) {
    if (after?.exitCode === 0) flaws.push('verify is content with what can not be healed')
    if (cell.kind.includes('pack') && !healed?.lost.some((one) => one.key === key))
      flaws.push(`heal does not say that ${key} is lost`)
    return
  }
  if (healed?.exitCode !== 0 || after?.exitCode !== 0)
    flaws.push(`heal does not repair: ${JSON.stringify({ healed: healed?.sinks, after: after?.sinks })}`)
  const { right } = await restore(vault, [vault.store('a')], flaws)
  if (right.size !== everything.size) flaws.push(`${right.size} files are restored after heal`)
}

/** What each sink gave before a run and a prune it gives after them. */
async function mustStay({ cell, vault, flaws }: Case): Promise<void> {
  const isOnOne = cell.where.length === 1
  const before = (await restore(vault, [vault.store('a')], flaws)).right
  const { isTriedWithRun, name } = cell.damage
  // A run takes time: of what is done to all sinks, it is tried beside the worst alone.
  const withRun = isTriedWithRun && (isOnOne || name === 'deleted')
  await pruneBeside(vault, withRun, flaws)
  for (const [sink, files] of isOnOne
    ? [['a', before] as const, ['b', everything] as const]
    : [['a', before] as const]) {
    const { right } = await restore(vault, [vault.store(sink)], flaws)
    for (const file of files) if (!right.has(file)) flaws.push(`${file} of ${sink} is lost by run and prune`)
  }
}

/** @returns what is wrong with a cell, each with its title; undefined where there is no such cell */
async function flawsOf(cell: Cell): Promise<string[] | undefined> {
  const flaws: string[] = []
  for (const check of [[mustRestore, mustBeFound, mustHeal], [mustStay]]) {
    using vault = base.vault.copy()
    const damaged = new Map<string, string>()
    for (const name of cell.where) {
      const key = cell.damage.inflict(base, cell.kind, vault.store(name))
      if (key === undefined) return undefined
      damaged.set(name, key)
    }
    for (const must of check) await must({ cell, vault, damaged, flaws })
  }
  return flaws.map((flaw) => `${cell.title}: ${flaw}`)
}

test.for(KINDS)(
  'whatever damages the %s is found, gives no wrong bytes, is healed, and takes nothing else along',
  { timeout: 60_000 },
  async (kind) => {
    const cells = await Promise.all(cellsOf(kind).map(flawsOf))
    expect(cells.flatMap((flaws) => flaws ?? [])).toEqual([])
    expect(cells.filter((flaws) => flaws !== undefined).length).toBeGreaterThan(17)
  },
)
