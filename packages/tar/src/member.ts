import type { PaxRecords } from './pax-records.ts'
import type { Header } from './read-header.ts'
import type { SparseMap } from './sparse-map.ts'

/** An entry as the archive has it: its header, with what the headers before it say of it. */
export interface Member {
  readonly header: Header
  readonly records: PaxRecords | undefined
  readonly name: Uint8Array
  readonly link: Uint8Array
  /** Of the file that it becomes. */
  readonly size: number
  readonly map?: SparseMap | undefined
}
