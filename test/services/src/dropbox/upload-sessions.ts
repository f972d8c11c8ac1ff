import { randomBytes } from 'node:crypto'
import { Refused } from './account.ts'
import { type Tagged, tagged } from './api-error.ts'
import type { Blob } from './blob.ts'

const VALID_MS = 7 * 24 * 60 * 60 * 1000
const MAX_BYTES = 2 ** 41 - 2 ** 22

export interface Cursor {
  readonly session_id: string
  readonly offset: number
}

interface Session {
  readonly blob: Blob
  readonly until: number
  closed: boolean
  /** A request is being taken. */
  busy: boolean
}

/** Sequential upload sessions. */
export class UploadSessions {
  readonly #newBlob: () => Blob
  readonly #now: () => number
  readonly #sessions = new Map<string, Session>()

  constructor(newBlob: () => Blob, now: () => number) {
    this.#newBlob = newBlob
    this.#now = now
  }

  get size(): number {
    return this.#sessions.size
  }

  async start(
    body: AsyncIterable<Uint8Array>,
    { close, contentHash }: { readonly close: boolean; readonly contentHash: string | undefined },
  ): Promise<string> {
    const blob = this.#newBlob()
    await blob.append(body, contentHash)
    return this.keep(blob, close)
  }

  /** A session that holds these bytes already. */
  keep(blob: Blob, closed: boolean): string {
    const id = `pid_upload_session:${randomBytes(36).toString('base64url')}`
    this.#sessions.set(id, { blob, until: this.#now() + VALID_MS, closed, busy: false })
    return id
  }

  /** @throws Refused of `UploadSessionLookupError` */
  async append(
    cursor: Cursor,
    body: AsyncIterable<Uint8Array>,
    { close, contentHash }: { readonly close: boolean; readonly contentHash: string | undefined },
  ): Promise<void> {
    const session = this.#at(cursor)
    if (session.closed) throw new Refused(tagged('closed'))
    if (session.busy) throw new Refused(offsetError(session))
    session.busy = true
    try {
      await session.blob.append(body, contentHash)
      if (session.blob.size > MAX_BYTES) throw new Refused(tagged('too_large'))
      session.closed = close
    } finally {
      session.busy = false
    }
  }

  /** The bytes, to be committed. @throws Refused of `UploadSessionLookupError` */
  take(cursor: Cursor, { mustBeClosed }: { readonly mustBeClosed: boolean }): Blob {
    const session = this.#at(cursor)
    if (mustBeClosed && !session.closed) throw new Refused(tagged('not_closed'))
    return session.blob
  }

  forget(id: string): void {
    this.#sessions.delete(id)
  }

  expire(): void {
    for (const { blob } of this.#sessions.values()) blob.discard()
    this.#sessions.clear()
  }

  #at({ session_id, offset }: Cursor): Session {
    const session = this.#sessions.get(session_id)
    if (!session || session.until <= this.#now()) throw new Refused(tagged('not_found'))
    if (session.blob.size !== offset) throw new Refused(offsetError(session))
    return session
  }
}

function offsetError({ blob }: Session): Tagged {
  return { '.tag': 'incorrect_offset', correct_offset: blob.size }
}
