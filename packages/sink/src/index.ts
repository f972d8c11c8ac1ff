export { type BackoffOptions, backoffMs } from './backoff.ts'
export { checkKey, isKey } from './check-key.ts'
export { checkMostBytes } from './check-most-bytes.ts'
export { checkPublished } from './check-published.ts'
export { deleteEach } from './delete-each.ts'
export {
  type FailureMeaning,
  networkMeaning,
  retryAfterOf,
  statusMeaning,
} from './failure-meaning.ts'
export { KeyLock } from './key-lock.ts'
export { pieces } from './pieces.ts'
export type { ObjectInfo, PutOptions, ReadOptions, Sink, SinkOptions, SinkTraits } from './sink.ts'
export { SinkError, type SinkErrorCode, type SinkErrorOptions } from './sink-error.ts'
export { type LimitOptions, withLimit } from './with-limit.ts'
export { type RetryOptions, withRetry } from './with-retry.ts'
export { type TimeoutOptions, withTimeout } from './with-timeout.ts'
