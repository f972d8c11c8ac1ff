/** What has been seen of a store that calls itself S3: what it takes, and what it says. */
export interface StoreQuirks {
  /** Whether it checks SHA-256 and echoes it. */
  echoesSha256: boolean
  /** Whether it takes the headers at all: some refuse requests that have one that they don't know. */
  takesSha256: boolean
  takesCondition: boolean
  /** Of what ends an upload in parts: Swift refuses the condition of a put, and keeps this one. */
  takesConditionOfParts: boolean
}

/** Of a store of which nothing has been seen. */
export function unseenQuirks(): StoreQuirks {
  return { echoesSha256: false, takesSha256: true, takesCondition: true, takesConditionOfParts: true }
}
