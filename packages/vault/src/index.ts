export { backup } from './backup/backup.ts'
export type { BackupOptions } from './backup/backup-options.ts'
export {
  type BackupProblem,
  type BackupProgress,
  type BackupReport,
  createProgress,
  type SinkReport,
  type SourceReport,
} from './backup/report.ts'
export { isTag } from './format/mark-object.ts'
export {
  createVaultHost,
  decodeHostKey,
  encodeHostKey,
  requireMaintainer,
  roleOf,
  type VaultHost,
  withRole,
} from './format/vault-host.ts'
export { type HealedSink, type HealOptions, type HealReport, heal } from './heal/heal.ts'
export {
  type MarkChange,
  type MarkReport,
  type MarkSnapshotOptions,
  markSnapshot,
} from './mark/mark-snapshot.ts'
export { type PruneOptions, prune } from './prune/prune.ts'
export type { PrunedSink, PruneReport } from './prune/report.ts'
export type { ChangedPart } from './restore/changed-parts.ts'
export { type Difference, type DiffOptions, diffSnapshots } from './restore/diff-snapshots.ts'
export { type FindOptions, type FoundEntry, findEntries } from './restore/find-entries.ts'
export type { HostHistory, PathVersion } from './restore/host-versions.ts'
export type { ListedEntry } from './restore/listed-entry.ts'
export type { OpenSnapshotsOptions } from './restore/open-chunks.ts'
export {
  type Child,
  type IsWanted,
  type OpenSnapshotOptions,
  openSnapshot,
  type SnapshotReader,
} from './restore/open-snapshot.ts'
export { type HistoryOptions, pathHistory } from './restore/path-history.ts'
export {
  type SelectedSources,
  type SelectSourcesOptions,
  selectSources,
  sourceStateLine,
} from './restore/select-sources.ts'
export { openTree, type SnapshotTree, type TreeEntry, type TreeFile } from './restore/snapshot-tree.ts'
export { type KnownHost, type ListHostsOptions, listHosts } from './revoke/list-hosts.ts'
export { type RevokeHostOptions, type RevokeReport, revokeHost } from './revoke/revoke-host.ts'
export { readStateFile, writeStateFile } from './state-file.ts'
export {
  type SessionStatus,
  type SinkStatus,
  type VaultStatus,
  type VaultStatusOptions,
  vaultStatus,
} from './status/vault-status.ts'
export { type DamagedObject, damagedObject } from './store/damage.ts'
export { addGrant, openGrant } from './store/grant.ts'
export { isHeld, type SnapshotMarks } from './store/mark-book.ts'
export { learnRevokedHosts, requireTrusted } from './store/revocations.ts'
export {
  type ListSnapshotsOptions,
  listSnapshots,
  type SnapshotInfo,
  selectSnapshot,
  type UnreadableSnapshot,
} from './store/snapshots.ts'
export { findVault, initVault, requireVault, type VaultHeader } from './store/vault-header.ts'
export { VaultError, type VaultErrorCode } from './vault-error.ts'
export {
  createVerifyProgress,
  type VerifiedSink,
  type VerifyProblem,
  type VerifyProgress,
  type VerifyReport,
} from './verify/report.ts'
export { type VerifyOptions, verify } from './verify/verify.ts'
