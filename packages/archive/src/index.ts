export { ArchiveEntries, type ArchiveEntriesOptions, type SourceTally } from './archive-entries.ts'
export { ArchiveError, type ArchiveErrorCode } from './archive-error.ts'
export { type ArchiveName, archiveId, archiveKey, isArchiveName } from './archive-key.ts'
export {
  type HealArchivesOptions,
  type HealArchivesReport,
  type HealedArchives,
  healArchives,
} from './heal-archives.ts'
export {
  type ArchiveInfo,
  type ArchiveList,
  type ArchiveView,
  type ListArchivesOptions,
  listArchives,
  selectArchive,
} from './list-archives.ts'
export {
  type PruneArchivesOptions,
  type PruneArchivesReport,
  type PrunedArchives,
  pruneArchives,
} from './prune-archives.ts'
export { type ReceiveArchiveOptions, receiveArchive } from './receive-archive.ts'
export { type SendArchiveOptions, type SentArchive, type SentSink, sendArchive } from './send-archive.ts'
export {
  type ArchiveProblem,
  type VerifiedArchives,
  type VerifyArchivesOptions,
  type VerifyArchivesReport,
  verifyArchives,
} from './verify-archives.ts'
