import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative, resolve } from 'node:path'
import { crashAftermath } from './crash-aftermath.ts'
import type { CrashScenario } from './crash-scenarios.ts'
import { type DiskCall, recordCalls } from './disk-calls.ts'
import { type DiskState, type PowerCut, powerCuts, writeState } from './disk-states.ts'
import { inTime } from './in-time.ts'
import type { SmallVault } from './small-vault.ts'

const CHILD = resolve(import.meta.dirname, 'power-cut-child.ts')

/** A program that ran through, what it has called for, and its disks as they were before and are now. */
export interface Recording extends Disposable {
  /** What the calls speak of. */
  readonly disk: string
  readonly before: string
  readonly calls: readonly DiskCall[]
}

/**
 * Runs a program that writes below `disk` in the directory it is given.
 * @param prepare - writes what is there before
 */
export async function record(
  prepare: (root: string) => Promise<void> | void,
  command: (root: string) => readonly string[],
): Promise<Recording> {
  const root = mkdtempSync(join(tmpdir(), 'pipe-backup-power-'))
  await prepare(root)
  const [disk, before] = [join(root, 'disk'), join(root, 'before')]
  cpSync(disk, before, { recursive: true, preserveTimestamps: true })
  const calls = await recordCalls(join(root, 'calls'), command(root))
  const isOurs = (call: DiskCall): boolean => {
    const path = 'to' in call ? call.to : call.path
    return path.startsWith(disk) || (call.type === 'sync' && path === '/')
  }
  return {
    disk,
    before,
    calls: calls.filter(isOurs),
    [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }),
  }
}

export async function recordScenario({ name }: CrashScenario, prepared: SmallVault): Promise<Recording> {
  return await record(
    (root) => prepared.save(root),
    (root) => [process.execPath, '--conditions=pipe-backup-src', CHILD, root, name],
  )
}

/** What becomes of a vault whose machine lost its power. @returns what is not as it must be */
export async function afterPowerCut(
  scenario: CrashScenario,
  prepared: SmallVault,
  { disk, calls }: Recording,
  { calls: answered, state }: PowerCut,
): Promise<string[]> {
  const problems: string[] = []
  // It has reported by then what it has done.
  if (answered === calls.length)
    for (const { name } of prepared.stores)
      problems.push(...differences(objectsIn(state, name), liveObjects(join(disk, name)), name))
  using vault = prepared.onDisks(
    (sink) => objectsIn(state, sink),
    (directory) => writeState(state, 'state', directory),
  )
  const going = scenario.removes?.(prepared) ?? []
  if (scenario.again) await scenario.perform(vault, vault.stores)
  const aftermath = await inTime(crashAftermath(vault, going, prepared.fingerprint))
  problems.push(...(aftermath instanceof Error ? [`the aftermath: ${aftermath.stack}`] : aftermath))
  return problems
}

/** What a sink lists: of what is under way nobody knows. */
function objectsIn(state: DiskState, sink: string): Map<string, Uint8Array> {
  const objects = new Map<string, Uint8Array>()
  for (const [path, { kind, bytes }] of state)
    if (kind === 'file' && path.startsWith(`${sink}/`) && !path.startsWith(`${sink}/.`))
      objects.set(path.slice(sink.length + 1), bytes)
  return objects
}

function liveObjects(directory: string): Map<string, Uint8Array> {
  const objects = new Map<string, Uint8Array>()
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    const key = relative(directory, path)
    if (entry.isFile() && !key.startsWith('.')) objects.set(key, readFileSync(path))
  }
  return objects
}

function differences(
  found: ReadonlyMap<string, Uint8Array>,
  wanted: ReadonlyMap<string, Uint8Array>,
  sink: string,
): string[] {
  const flaws: string[] = []
  for (const [key, bytes] of wanted)
    if (Buffer.compare(found.get(key) ?? Buffer.alloc(0), bytes) !== 0)
      flaws.push(`was stored on ${sink}, and is not there: ${key}`)
  for (const key of found.keys())
    if (!wanted.has(key)) flaws.push(`was deleted on ${sink}, and is there: ${key}`)
  return flaws
}

/** Some of the states, evenly, and all that follow the last call. */
export function* sampled(recording: Recording, stride: number, from: number): Generator<PowerCut> {
  let number = from
  for (const cut of powerCuts(recording.disk, recording.before, recording.calls))
    if (cut.calls === recording.calls.length || number++ % stride === 0) yield cut
}
