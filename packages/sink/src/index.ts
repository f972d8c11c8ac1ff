export { type BackoffOptions, backoffMs } from './backoff.ts'
export { checkKey, isKey } from './check-key.ts'
export { checkMaxBytes } from './check-max-bytes.ts'
export { checkPublished } from './check-published.ts'
export { deleteEach, removeEach } from './delete-each.ts'
export {
  createSink,
  type DriverOptions,
  type ObjectRange,
  rangeLength,
  type SinkProvider,
} from './driver.ts'
export { KeyLock } from './key-lock.ts'
export { pieces } from './pieces.ts'
export { QUOTA_EXCEEDED } from './quota-exceeded.ts'
export { SharedRequest } from './shared-request.ts'
export type { ObjectInfo, PutOptions, ReadOptions, Sink, SinkOptions } from './sink.ts'
export { SinkError, type SinkErrorCode, type SinkErrorOptions } from './sink-error.ts'
export { slabs } from './slabs.ts'
export { toError } from './to-error.ts'
export { unlessAborted } from './unless-aborted.ts'
export type { UploadBody } from './upload-writable.ts'
export { type FolderWalk, walkFolders } from './walk-folders.ts'
export { type LimitOptions, withLimit } from './with-limit.ts'
export { type RetryOptions, withRetry } from './with-retry.ts'
export { type TimeoutOptions, withTimeout } from './with-timeout.ts'
