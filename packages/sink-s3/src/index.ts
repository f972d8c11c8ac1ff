export type { ObjectLock, S3SinkOptions } from './s3-options.ts'
export { s3Sink } from './s3-sink.ts'
