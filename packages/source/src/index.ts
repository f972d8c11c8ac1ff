export {
  ACCESS_ACL,
  type Attribute,
  attributesFlaw,
  CAPABILITY,
  DEFAULT_ACL,
  isKeptAttribute,
  sortAttributes,
} from './attribute.ts'
export { comparePaths } from './compare-paths.ts'
export type {
  DeviceEntry,
  DirectoryEntry,
  Entry,
  EntryMetadata,
  EntryReader,
  FifoEntry,
  FileEntry,
  FileIdentity,
  HardlinkEntry,
  Reading,
  SymlinkEntry,
} from './entry.ts'
export { failingAlone } from './failing-alone.ts'
export { SourceError, type SourceErrorCode, type SourceProblem } from './problem.ts'
export { readToEnd } from './read-to-end.ts'
export type { ReadContext, Source } from './source.ts'
export { type SourceTimeoutOptions, withTimeout } from './with-timeout.ts'
