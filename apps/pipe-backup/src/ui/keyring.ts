import {
  listSnapshots,
  openSnapshot,
  type SnapshotInfo,
  type SnapshotReader,
  VaultError,
} from '@pipe-backup/vault'
import { wordsOf } from '../phrase/read-phrase.ts'
import { forget } from '../secrets/redact.ts'
import { type OpenedSnapshots, openSnapshots } from '../vault/open-reading.ts'
import { IdleWatch } from './idle-watch.ts'
import { LockedError } from './locked-error.ts'
import { requestCli, type UiContext } from './request-cli.ts'

/** What is not used for so long is forgotten. */
const IDLE_MS = 15 * 60_000
/** Of so many snapshots the places of their chunks are kept. */
const MAX_READERS = 4

/** The vault, while somebody reads it. */
export interface UsedVault extends OpenedSnapshots, Disposable {
  /** Aborted when it is forgotten. */
  readonly signal: AbortSignal
}

/**
 * The vault opened with the recovery phrase, for as long as somebody reads. The phrase itself is not kept: what it stands for is, in this
 * process's memory alone.
 */
export class Keyring {
  readonly #ui: UiContext
  #opened: OpenedSnapshots | undefined
  #closing = new AbortController()
  #snapshots: readonly SnapshotInfo[] = []
  readonly #readers = new Map<string, Promise<SnapshotReader>>()
  readonly #idle: IdleWatch

  constructor(ui: UiContext) {
    this.#ui = ui
    this.#idle = new IdleWatch(IDLE_MS, () => {
      this.forget().catch((error: unknown) => ui.cli.output.note(String(error)))
    })
  }

  /** When it will be forgotten unless it is used; `undefined` while it is not there. */
  get until(): Date | undefined {
    return this.#idle.until
  }

  /** @throws as `openSnapshots`: CryptoError `bad-phrase`, CommandError `wrong-phrase` */
  async unlock(phrase: string): Promise<void> {
    const { cli } = requestCli(this.#ui, this.#ui.cli.signal)
    try {
      const opened = await openSnapshots({ ...cli, phraseVariable: phrase }, undefined)
      await this.forget()
      this.#opened = opened
      this.#closing = new AbortController()
      this.#snapshots = opened.snapshots
      this.#idle.start()
    } finally {
      // It need not be kept out of messages by something that remembers it.
      forget(wordsOf(phrase))
    }
  }

  /** Forgets all of it. What is being read ends. */
  async forget(): Promise<void> {
    this.#idle.stop()
    const [opened, readers] = [this.#opened, [...this.#readers.values()]]
    this.#opened = undefined
    this.#closing.abort(new DOMException('the vault was closed', 'AbortError'))
    this.#snapshots = []
    this.#readers.clear()
    for (const reader of readers) await (await reader.catch(() => undefined))?.[Symbol.asyncDispose]()
    await opened?.[Symbol.asyncDispose]()
  }

  /** The vault, for reading until it is disposed of. @throws LockedError */
  use(): UsedVault {
    if (!this.#opened) throw new LockedError()
    const { signal } = this.#closing
    return { ...this.#opened, signal, [Symbol.dispose]: this.#idle.use()[Symbol.dispose] }
  }

  /** All the snapshots that there are now, oldest first. @throws LockedError */
  async all(): Promise<readonly SnapshotInfo[]> {
    using opened = this.use()
    const { sinks, keys, onProblem } = opened
    this.#snapshots = await listSnapshots({ sinks, keys, signal: this.#ui.cli.signal, onProblem })
    return this.#snapshots
  }

  /** A snapshot by its id. @throws LockedError; VaultError `not-found` */
  async snapshot(id: string): Promise<SnapshotInfo> {
    using _use = this.use()
    const isMeant = (snapshot: SnapshotInfo): boolean => snapshot.id === id
    // It may have been made since.
    const found = this.#snapshots.find(isMeant) ?? (await this.all()).find(isMeant)
    if (!found) throw new VaultError('not-found', `there is no snapshot "${id}" any more`)
    return found
  }

  /** What lists the directories of a snapshot. @throws as `snapshot` */
  async reader(id: string): Promise<SnapshotReader> {
    const snapshot = await this.snapshot(id)
    using opened = this.use()
    const known = this.#readers.get(id)
    const reader = known ?? this.#open(opened, snapshot)
    // The last that was used is the last to go.
    this.#readers.delete(id)
    this.#readers.set(id, reader)
    const [oldest] = this.#readers
    if (oldest && this.#readers.size > MAX_READERS) {
      this.#readers.delete(oldest[0])
      await (await oldest[1].catch(() => undefined))?.[Symbol.asyncDispose]()
    }
    return await reader
  }

  #open({ sinks, keys, onProblem }: OpenedSnapshots, snapshot: SnapshotInfo): Promise<SnapshotReader> {
    const opening = openSnapshot({ sinks, keys, snapshot, signal: this.#ui.cli.signal, onProblem })
    // One that could not be opened is tried again.
    opening.catch(() => this.#readers.delete(snapshot.id))
    return opening
  }
}
