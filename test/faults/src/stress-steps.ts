import { FAULT_KINDS } from '@pipe-backup/sink/testing'
import { checkRestore, checkVerified } from './stress-checks.ts'
import { damage, pick } from './stress-harm.ts'
import { checkPinned, pin } from './stress-marks.ts'
import {
  anyHost,
  backUp,
  checkBackedUp,
  checkHealed,
  healAll,
  pruneAll,
  verifyAll,
} from './stress-operations.ts'
import type { Operation, StressWorld, Trouble } from './stress-world.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/** More than most operations need. */
const MAX_REQUEST = 70
/** What hangs is ended by a timer, which has no place where nothing else waits for one. */
const FAULTS = FAULT_KINDS.filter((kind) => kind !== 'hang')

export interface Step {
  readonly name: string
  /** How often it comes, beside the others. */
  readonly weight: number
  /** @returns what was done; undefined where there was nothing to do */
  readonly act: (world: StressWorld) => Promise<string | undefined> | string | undefined
}

/** What goes wrong with an operation: mostly nothing. */
function trouble({ random, stores }: StressWorld): Trouble {
  const dice = random()
  const at = 1 + Math.floor(random() ** 2 * MAX_REQUEST)
  if (dice < 0.18) {
    const kind = random() < 0.75 ? 'kill' : 'abort'
    return { interruption: { kind, at, isDone: random() < 0.5 } }
  }
  if (dice < 0.38) {
    const on = pick(random, stores)?.name ?? ''
    const kind = pick(random, FAULTS) ?? 'unreachable'
    return { fault: { on, kind, at: 1 + Math.floor(at / 3), forever: random() < 0.3 } }
  }
  return {}
}

function described({ what }: Operation<unknown>, { fault, interruption }: Trouble): string {
  if (interruption) return `${what}, ${interruption.kind} at request ${interruption.at}`
  return fault
    ? `${what}, ${fault.kind} on ${fault.on} at ${fault.at}${fault.forever ? ' and on' : ''}`
    : what
}

async function runBackup(world: StressWorld): Promise<string> {
  const host = anyHost(world)
  const going = trouble(world)
  const operation = backUp(world, host)
  const [ended] = await world.perform([operation], going)
  if (ended?.wasLiedTo) host.newest.clear()
  else if (ended?.result) checkBackedUp(world, host, ended.result)
  return described(operation, going)
}

async function runPrune(world: StressWorld): Promise<string> {
  const operation = pruneAll(world, anyHost(world, 'maintain'))
  const going = trouble(world)
  await world.perform([operation], going)
  return described(operation, going)
}

async function runHeal(world: StressWorld): Promise<string> {
  const operation = healAll(world, anyHost(world))
  const going = trouble(world)
  const [ended] = await world.perform([operation], going)
  if (ended?.result && !ended.wasLiedTo) checkHealed(world, ended.result)
  return described(operation, going)
}

async function runVerify(world: StressWorld): Promise<string> {
  const host = anyHost(world)
  const operation = verifyAll(world, host, world.random() < 0.3)
  const going = trouble(world)
  const [ended] = await world.perform([operation], going)
  if (ended?.result && !ended.wasLiedTo) checkVerified(world, host, ended.result)
  return described(operation, going)
}

/** Two or three hosts at once, of which one may be killed. */
async function runTogether(world: StressWorld): Promise<string> {
  const [one, two, three] = world.hosts
  if (!one || !two || !three) throw new Error('three hosts are wanted')
  const { random } = world
  const first = random() < 0.7 ? pruneAll(world, one) : healAll(world, one)
  const second = random() < 0.7 ? backUp(world, two) : healAll(world, two)
  const third = random() < 0.5 ? backUp(world, three) : pruneAll(world, three)
  const chosen = random() < 0.5 ? [first, second] : [second, first, third]
  const going = trouble(world)
  await world.perform<unknown>(chosen, going)
  // Whether the sinks still have what they said is another question, where a prune goes on beside.
  for (const host of world.hosts) host.newest.clear()
  return chosen.map((operation, i) => described(operation, i === 0 ? going : {})).join(' beside ')
}

async function runPin(world: StressWorld): Promise<string | undefined> {
  const { random, oracle, stores, away } = world
  const key = pick(random, [...oracle.shownBy(stores.filter(({ name }) => !away.has(name))).keys()])
  if (key === undefined) return undefined
  const pinned = random() < 0.6
  const operation = pin(world, anyHost(world), key, pinned)
  const going = trouble(world)
  const [ended] = await world.perform([operation], going)
  if (ended?.result && !ended.wasLiedTo) checkPinned(world, key, pinned, ended.result)
  return described(operation, going)
}

async function runRestore(world: StressWorld): Promise<string | undefined> {
  const stores = world.stores.filter(({ name }) => !world.away.has(name) && world.random() < 0.6)
  if (stores.length === 0) return undefined
  await checkRestore(world, stores, { limit: 2 })
  return `restore from ${stores.map(({ name }) => name).join('')}`
}

/** The sink is another from now on: empty, or as it was when a copy was made of it. */
function rollBack(world: StressWorld): string | undefined {
  const store = pick(world.random, world.stores)
  const image = store && world.images.get(store.name)
  if (!store || !image) return undefined
  store.objects.clear()
  for (const [key, object] of image) store.objects.set(key, object)
  return `${store.name} is rolled back`
}

function copySink(world: StressWorld): string | undefined {
  const store = pick(world.random, world.stores)
  if (store) world.images.set(store.name, [...store.objects])
  return store && `a copy of ${store.name} is made`
}

function loseSink(world: StressWorld): string | undefined {
  const store = pick(world.random, world.stores)
  store?.objects.clear()
  return store && `${store.name} is lost, and comes back empty`
}

function jump(world: StressWorld): string {
  const { random, hosts, stores } = world
  const ms = (random() < 0.5 ? 1 : -1) * random() ** 3 * 3 * DAY_MS
  if (random() < 0.5) {
    const host = pick(random, hosts)
    if (host) host.skewMs = Math.round(ms)
    return `the clock of ${host?.name} is off by ${Math.round(ms / 1000)} s`
  }
  const store = pick(random, stores)
  if (store) world.skewsMs.set(store.name, Math.round(ms))
  return `the clock of sink ${store?.name} is off by ${Math.round(ms / 1000)} s`
}

function passTime(world: StressWorld): string {
  const ms = world.random() ** 2 * 2 * DAY_MS
  world.passTime(ms)
  return `${(ms / HOUR_MS).toFixed(1)} hours pass`
}

function goAway({ away, random, stores }: StressWorld): string | undefined {
  if (away.size > 0) {
    const names = [...away].join()
    away.clear()
    return `${names} is back`
  }
  const name = pick(random, stores)?.name
  if (name !== undefined) away.add(name)
  return name && `${name} is away`
}

function loseState(world: StressWorld): string {
  const host = anyHost(world)
  host.loseState()
  return `${host.name} loses its state`
}

function reinstall(world: StressWorld): string {
  const host = anyHost(world)
  host.reinstall()
  return `${host.name} joins again`
}

/** Harm that the model answers for: what it takes from all sinks is not asked for any more. */
function harming(
  tally: 'damages' | 'attacks',
  name: string,
  act: (world: StressWorld) => string | undefined,
): Step['act'] {
  return (world) => {
    const before = world.oracle.intactOn(world.stores)
    const what = act(world)
    if (what === undefined) return undefined
    world.tally[tally].add(name === '' ? what.split(':', 1).join() : name)
    for (const key of before) if (!world.oracle.isIntact(world.stores, key)) world.tally.harmed++
    return what
  }
}

export const STEPS: readonly Step[] = [
  { name: 'backup', weight: 20, act: runBackup },
  { name: 'restore and compare', weight: 14, act: runRestore },
  { name: 'prune', weight: 9, act: runPrune },
  { name: 'heal', weight: 9, act: runHeal },
  { name: 'verify', weight: 8, act: runVerify },
  { name: 'several hosts at once', weight: 4, act: runTogether },
  { name: 'pin and unpin', weight: 3, act: runPin },
  {
    name: 'damage',
    weight: 13,
    act: harming('damages', '', ({ random, stores }) => damage(random, stores)),
  },
  { name: 'roll a sink back', weight: 2, act: harming('damages', 'sink rolled back', rollBack) },
  { name: 'lose a sink', weight: 1, act: harming('damages', 'sink lost', loseSink) },
  {
    name: 'attack',
    weight: 5,
    act: harming('attacks', '', (world) => world.thief.plant(world.stores, world.sinkTime('a'))),
  },
  { name: 'copy a sink', weight: 2, act: copySink },
  { name: 'lose the state', weight: 1.5, act: loseState },
  { name: 'join again', weight: 0.5, act: reinstall },
  { name: 'clock jump', weight: 1.5, act: jump },
  { name: 'time passes', weight: 8, act: passTime },
  { name: 'sink away or back', weight: 3, act: goAway },
]
