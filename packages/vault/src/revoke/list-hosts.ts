import type { Author, ObjectKeys, Role } from '@pipe-backup/crypto'
import { type Sink, toError } from '@pipe-backup/sink'
import { forEachLimited } from '../for-each-limited.ts'
import { openObject } from '../format/sealed-object.ts'
import { openSnapshotHead, type SnapshotHead } from '../format/snapshot-object.ts'
import { damageOf } from '../store/damage.ts'
import { getObject, listObjects } from '../store/read-sink.ts'
import { learnRevocations } from '../store/revocations.ts'

const OBJECTS_AT_ONCE = 8
/** Where what a host signs stays: a session is gone with it. */
export const SIGNED_PREFIXES: readonly string[] = ['snapshots/', 'marks/', 'index/', 'trash/']

/** A host of the vault, by what it has signed. */
export interface KnownHost {
  /** 32 hex digits. */
  readonly id: string
  /** As its last snapshot says; undefined of one that has none. */
  readonly name: string | undefined
  /** The greatest that it has signed with. */
  readonly role: Role
  readonly isRevoked: boolean
  readonly snapshots: number
  /** When its last snapshot was made, by its own clock. */
  readonly last: Date | undefined
}

export interface ListHostsOptions {
  readonly sinks: readonly Sink[]
  readonly keys: ObjectKeys
  readonly signal?: AbortSignal | undefined
  /** Called with each sink that does not answer, and each object that does not open there. */
  readonly onProblem?: ((error: Error) => void) | undefined
}

/** The hosts that have stored something which is still there. Needs no phrase. @throws the first sink's error when none answers */
export async function listHosts(options: ListHostsOptions): Promise<readonly KnownHost[]> {
  const { sinks, keys, signal, onProblem } = options
  // What a revoked host had signed before and since alike shows that there is one.
  const anyone = { ...keys, revoked: new Map() }
  const hosts = new Map<string, KnownHost>()
  const seen = new Set<string>()
  const errors: Error[] = []
  for (const sink of sinks) {
    try {
      await learnRevocations(sink, keys, signal)
      for (const prefix of SIGNED_PREFIXES) {
        const listed = await Array.fromAsync(listObjects(sink, prefix, signal))
        const news = listed.filter(({ key }) => !seen.has(key))
        await forEachLimited(news, OBJECTS_AT_ONCE, async ({ key }) => {
          const signed = await readSigned(sink, key, anyone, options)
          if (!signed) return
          seen.add(key)
          add(hosts, signed)
        })
      }
    } catch (error) {
      signal?.throwIfAborted()
      errors.push(toError(error))
    }
  }
  if (errors.length === sinks.length && errors[0]) throw errors[0]
  for (const error of errors) onProblem?.(error)
  const all = [...hosts.values()].map((host) => ({ ...host, isRevoked: keys.revoked.has(host.id) }))
  return all.sort((a, b) => (a.last?.getTime() ?? 0) - (b.last?.getTime() ?? 0))
}

interface Signed {
  readonly author: Author
  readonly head: SnapshotHead | undefined
}

async function readSigned(
  sink: Sink,
  key: string,
  keys: ObjectKeys,
  { signal, onProblem }: ListHostsOptions,
): Promise<Signed | undefined> {
  try {
    const object = await getObject(sink, key, signal)
    const { author } = openObject(keys, key, object)
    return { author, head: key.startsWith('snapshots/') ? openSnapshotHead(keys, key, object) : undefined }
  } catch (error) {
    signal?.throwIfAborted()
    if (damageOf(error) === undefined) throw error
    onProblem?.(toError(error))
    return undefined
  }
}

function add(hosts: Map<string, KnownHost>, { author, head }: Signed): void {
  const fresh = (id: string, role: Role): KnownHost => ({
    id,
    name: undefined,
    role,
    isRevoked: false,
    snapshots: 0,
    last: undefined,
  })
  const known = hosts.get(author.hostId) ?? fresh(author.hostId, author.role)
  hosts.set(known.id, author.role === 'maintain' ? { ...known, role: 'maintain' } : known)
  if (!head) return
  // A compaction signs for the host that made it.
  const host = hosts.get(head.hostId) ?? fresh(head.hostId, 'write')
  const time = new Date(head.time)
  const isLast = !host.last || time > host.last
  hosts.set(host.id, {
    ...host,
    snapshots: host.snapshots + 1,
    name: isLast ? head.host : host.name,
    last: isLast ? time : host.last,
  })
}
