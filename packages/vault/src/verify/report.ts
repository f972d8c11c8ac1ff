/** An object that is not as it should be. */
export interface VerifyProblem {
  readonly sink: string
  readonly key: string
  readonly why: 'missing' | 'corrupt'
  /** One line: what is wrong with it. */
  readonly message: string
}

export interface VerifiedSink {
  readonly name: string
  /** `damaged`: objects are missing or corrupt; `failed`: it could not be verified, see `error`. */
  readonly state: 'ok' | 'damaged' | 'failed'
  /** All that it holds, as it lists it. */
  readonly objects: number
  readonly bytes: number
  /** Packs whose bytes were proven now: by the provider's own SHA-256 or by reading them. */
  readonly packsProven: number
  readonly bytesRead: number
  readonly problems: readonly VerifyProblem[]
  readonly error?: string | undefined
  /** What to do about the error. */
  readonly hint?: string | undefined
}

export interface VerifyReport {
  readonly sinks: readonly VerifiedSink[]
  /** How many snapshots there are, on all the sinks together. */
  readonly snapshots: number
  /** Needed packs that no sink holds whole, and the snapshots that need them, by id. */
  readonly lost: readonly { readonly key: string; readonly snapshots: readonly string[] }[]
  readonly seconds: number
  /** 0: all that was verified is as it should be. */
  readonly exitCode: 0 | 1
}

/** How a verification stands; kept up to date while it runs, to be polled. */
export interface VerifyProgress {
  packs: number
  packsToProve: number
  bytesRead: number
}

export function createVerifyProgress(): VerifyProgress {
  return { packs: 0, packsToProve: 0, bytesRead: 0 }
}
