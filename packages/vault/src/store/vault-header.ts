import { vaultIdOf } from '@pipe-backup/crypto'
import { type Sink, toError } from '@pipe-backup/sink'
import { hasCode } from '../has-code.ts'
import { VaultError } from '../vault-error.ts'
import { getObject } from './read-sink.ts'

const KEY = 'vault.json'
const FORMAT = 'pipe-backup vault'

/** Which vault a sink holds (docs/format.md section 4). */
export interface VaultHeader {
  /** 32 hex digits. */
  readonly id: string
  readonly publicKey: Uint8Array
}

/** @returns undefined when the sink holds no vault @throws VaultError `not-a-vault`, `unsupported-version`; SinkError */
export async function readVaultHeader(sink: Sink, signal?: AbortSignal): Promise<VaultHeader | undefined> {
  let bytes: Uint8Array
  try {
    bytes = await getObject(sink, KEY, signal)
  } catch (error) {
    if (hasCode(error, 'not-found')) return undefined
    // The sink itself knows that it is damaged, or that it is longer than it can be.
    if (hasCode(error, 'corrupt')) throw notOne(sink.name, 'is damaged', error)
    throw error
  }
  return decodeVaultHeader(bytes, sink.name)
}

/** Reads `vault.json`. @throws VaultError `not-a-vault`, `unsupported-version` */
export function decodeVaultHeader(bytes: Uint8Array, sink: string): VaultHeader {
  const bad = (why: string) => notOne(sink, why)
  let parsed: unknown
  try {
    parsed = JSON.parse(Buffer.from(bytes).toString())
  } catch {
    throw bad('is not JSON')
  }
  const file = new Map<string, unknown>(Object.entries(parsed ?? {}))
  if (file.get('format') !== FORMAT) throw bad('is not that of a vault')
  const version = file.get('version')
  if (typeof version !== 'number') throw bad('does not say its version')
  const publicKeyHex = file.get('publicKey')
  if (typeof publicKeyHex !== 'string' || !/^[0-9a-f]{64}$/.test(publicKeyHex)) throw bad('has no public key')
  const publicKey = Uint8Array.from(Buffer.from(publicKeyHex, 'hex'))
  const id = vaultIdOf(publicKey, version)
  // The id is of the version too: a digit that was flipped makes no newer vault.
  if (file.get('id') !== id) throw bad('has an id that is not that of its version and public key')
  if (version !== 1) {
    throw new VaultError('unsupported-version', `sink "${sink}": the vault has version ${version}`, {
      sink,
      key: KEY,
      hint: 'A newer pipe-backup made it: update this program.',
    })
  }
  return { id, publicKey }
}

function notOne(sink: string, why: string, cause?: unknown): VaultError {
  return new VaultError('not-a-vault', `sink "${sink}": ${KEY} ${why}`, {
    sink,
    key: KEY,
    hint: `Is it this program's? \`pipe-backup heal\` repairs it where any object beside it opens; where none does, delete it by hand, and \`pipe-backup heal --sink ${sink}\` fills the sink.`,
    cause,
  })
}

/** What `vault.json` says of the vault of this key. */
export function encodeVaultHeader(publicKey: Uint8Array): Buffer {
  const header = {
    format: FORMAT,
    version: 1,
    id: vaultIdOf(publicKey),
    publicKey: Buffer.from(publicKey).toString('hex'),
  }
  return Buffer.from(`${JSON.stringify(header)}\n`)
}

/** Writes `vault.json`, also over one that is damaged. @throws SinkError */
export async function putVaultHeader(
  sink: Sink,
  publicKey: Uint8Array,
  signal?: AbortSignal,
  { ifAbsent = false }: { readonly ifAbsent?: boolean | undefined } = {},
): Promise<void> {
  await sink.put(KEY, encodeVaultHeader(publicKey), { ifAbsent, signal })
}

/** @throws VaultError `not-a-vault` when the sink holds another vault or none */
export async function requireVault(sink: Sink, vaultId: string, signal?: AbortSignal): Promise<void> {
  const header = await readVaultHeader(sink, signal)
  if (header?.id === vaultId) return
  if (header) throw holdsAnother(sink.name, header)
  throw new VaultError('not-a-vault', `sink "${sink.name}" holds no vault`, {
    sink: sink.name,
    hint: 'Is the disk mounted, the path right? A new sink is filled by `pipe-backup heal`.',
  })
}

function holdsAnother(sink: string, { id }: VaultHeader): VaultError {
  return new VaultError('not-a-vault', `sink "${sink}" holds another vault (${id})`, {
    sink,
    hint: 'Check where the sink points.',
  })
}

/**
 * Writes `vault.json` on each sink that has none.
 * @throws VaultError `not-a-vault` before anything is written, when a sink holds another vault
 */
export async function initVault(options: {
  readonly sinks: readonly Sink[]
  readonly publicKey: Uint8Array
  readonly signal?: AbortSignal | undefined
}): Promise<readonly { sink: string; state: 'created' | 'joined' | 'failed'; error?: Error }[]> {
  const { sinks, publicKey, signal } = options
  const id = vaultIdOf(publicKey)
  const found = await Promise.allSettled(sinks.map((sink) => readVaultHeader(sink, signal)))
  for (const [i, result] of found.entries()) {
    const other = result.status === 'fulfilled' && result.value && result.value.id !== id
    if (other) {
      throw new VaultError(
        'not-a-vault',
        `sink "${sinks[i]?.name}" holds another vault (${result.value?.id})`,
        {
          hint: 'Give it a place of its own, or join that vault with its phrase.',
        },
      )
    }
  }
  return Promise.all(
    sinks.map(async (sink, i) => {
      const result = found[i]
      try {
        if (result?.status === 'rejected' && !isMissingRoot(result.reason)) throw result.reason
        if (result?.status === 'fulfilled' && result.value)
          return { sink: sink.name, state: 'joined' as const }
        await putVaultHeader(sink, publicKey, signal, { ifAbsent: true })
        return { sink: sink.name, state: 'created' as const }
      } catch (error) {
        return {
          sink: sink.name,
          state: 'failed' as const,
          error: toError(error),
        }
      }
    }),
  )
}

/** A sink that may make its root answers `unreachable` until its first put. */
function isMissingRoot(reason: unknown): boolean {
  return hasCode(reason, 'unreachable')
}

/**
 * Finds out which vault the sinks hold.
 * @returns undefined when no sink that answers holds one
 * @throws VaultError `not-a-vault` when they hold different ones, and none the wanted one; the last SinkError when none answers
 */
export async function findVault(options: {
  readonly sinks: readonly Sink[]
  /** The id of the one that is looked for: where any sink holds it, those that hold another are reported, and passed over. */
  readonly wanted?: string | undefined
  readonly signal?: AbortSignal | undefined
  readonly onProblem?: ((error: Error) => void) | undefined
}): Promise<(VaultHeader & { readonly sinks: readonly string[] }) | undefined> {
  const { sinks, wanted, signal, onProblem } = options
  const found = await Promise.allSettled(sinks.map((sink) => readVaultHeader(sink, signal)))
  const isWanted = ({ id }: VaultHeader): boolean => id === wanted
  const isThere = found.some(
    (result) => result.status === 'fulfilled' && result.value && isWanted(result.value),
  )
  let vault: VaultHeader | undefined
  const holders: string[] = []
  const errors: Error[] = []
  for (const [i, result] of found.entries()) {
    const name = sinks[i]?.name ?? ''
    if (result.status === 'rejected') {
      errors.push(result.reason instanceof Error ? result.reason : new Error(String(result.reason)))
      continue
    }
    if (!result.value) continue
    if (isThere && !isWanted(result.value)) {
      errors.push(holdsAnother(name, result.value))
      continue
    }
    if (vault && vault.id !== result.value.id) {
      throw new VaultError(
        'not-a-vault',
        `sink "${name}" holds the vault ${result.value.id}, "${holders[0]}" holds ${vault.id}`,
        {
          hint: 'Take one of the two out of the configuration.',
        },
      )
    }
    vault = result.value
    holders.push(name)
  }
  if (!vault && errors.length === sinks.length && errors[0]) throw errors[0]
  for (const error of errors) onProblem?.(error)
  return vault && { ...vault, sinks: holders }
}
