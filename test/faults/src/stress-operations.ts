import { retain } from '@pipe-backup/retention'
import { type BackupReport, backup, heal, prune, verify } from '@pipe-backup/vault'
import { pick } from './stress-harm.ts'
import type { StressHost } from './stress-host.ts'
import { KEEP, type Operation, RETENTION, type StressWorld } from './stress-world.ts'

const COPIES = 2

export function backUp(world: StressWorld, host: StressHost): Operation<BackupReport> {
  host.change()
  const call = world.callOf(host)
  const name = () => `${call.host.hostId} ${call.now().toISOString()}`
  // No two at one time: by it their snapshots are known.
  while (world.expected.has(name())) world.passTime(1)
  world.expected.set(name(), host.expectation())
  return {
    what: `backup of ${host.name}`,
    host,
    act: (sinks, signal) =>
      backup({ ...call, sinks, signal, program: 'stress', sources: host.sources(), copies: COPIES }),
  }
}

/** What a backup has said of sinks must be so, as far as it can know. */
export function checkBackedUp(world: StressWorld, host: StressHost, report: BackupReport): void {
  const { snapshot, copies, exitCode } = report
  if (snapshot === null) return
  for (const { name, state } of report.sinks) {
    if (state !== 'ok') continue
    const store = world.store(name)
    const key = [...store.objects.keys()].find(
      (one) => one.endsWith(`-${snapshot}`) && one.startsWith('snapshots/'),
    )
    const head = key === undefined ? undefined : world.oracle.headOn(store, key)
    if (key === undefined || !head) {
      world.violate(`backup says that ${name} holds ${snapshot}, which it does not show`)
      continue
    }
    host.newest.set(name, key)
    for (const pack of head.packs)
      if (!store.objects.has(pack))
        world.violate(`backup says that ${name} holds ${snapshot}: it lacks ${pack}`)
  }
  if (exitCode !== 1 && copies < COPIES)
    world.violate(`backup ends with ${exitCode}, and has ${copies} copies`)
}

export function pruneAll(world: StressWorld, host: StressHost, isThorough = false): Operation<unknown> {
  const { random } = world
  return {
    what: `prune by ${host.name}`,
    host,
    prunes: true,
    act: (sinks, signal) =>
      prune({
        ...world.callOf(host),
        sinks,
        signal,
        choose: (snapshots) => new Set(retain(snapshots, KEEP, RETENTION).removed),
        keeps: (snapshots) => new Set(retain(snapshots, KEEP, RETENTION).kept.keys()),
        compact: isThorough || random() < 0.6,
        graceMs: isThorough || random() < 0.5 ? 0 : undefined,
      }),
  }
}

export function healAll(world: StressWorld, host: StressHost): Operation<Awaited<ReturnType<typeof heal>>> {
  return {
    what: `heal by ${host.name}`,
    host,
    act: (sinks, signal) => heal({ ...world.callOf(host), sinks, signal, isNew: () => true }),
  }
}

/** What a healing calls level must have all that any sink has. */
export function checkHealed(world: StressWorld, report: Awaited<ReturnType<typeof heal>>): void {
  if (report.exitCode !== 0) return
  const { oracle, stores } = world
  const removed = oracle.removedOn(stores)
  for (const store of stores)
    for (const [key, head] of oracle.shownBy(stores)) {
      if (removed.has(head.id)) continue
      const lacking = head.packs.filter((pack) => !store.objects.has(pack))
      // A version that another sink has may name other packs.
      const own = oracle.headOn(store, key)
      const isHeld = own?.packs.every((pack) => store.objects.has(pack)) ?? false
      if (!isHeld)
        world.violate(`heal says that ${store.name} is level: of ${key} it lacks ${lacking.join()}`)
    }
}

export function verifyAll(
  world: StressWorld,
  host: StressHost,
  isDeep: boolean,
): Operation<Awaited<ReturnType<typeof verify>>> {
  const call = world.callOf(host)
  return {
    what: `verify ${isDeep ? '--deep ' : ''}by ${host.name}`,
    host,
    act: (sinks, signal) => verify({ ...call, sinks, signal, ...(isDeep && { deepKeys: call.keys }) }),
  }
}

export function anyHost(world: StressWorld, role?: StressHost['role']): StressHost {
  const host = pick(
    world.random,
    world.hosts.filter((one) => role === undefined || one.role === role),
  )
  if (!host) throw new Error(`there is no host that may ${role}`)
  return host
}
