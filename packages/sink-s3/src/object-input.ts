import type { PutObjectCommandInput, StorageClass } from '@aws-sdk/client-s3'
import type { S3Settings } from './s3-options.ts'

/** Of all objects: what a store says of itself is XML. */
export const CONTENT_TYPE = 'application/octet-stream'
const DAY_MS = 24 * 60 * 60 * 1000

/** How an object is to be kept, as PutObject and CreateMultipartUpload take it. */
export type ObjectInput = Pick<
  PutObjectCommandInput,
  | 'ContentType'
  | 'StorageClass'
  | 'ServerSideEncryption'
  | 'SSEKMSKeyId'
  | 'ObjectLockMode'
  | 'ObjectLockRetainUntilDate'
>

export function objectInput(settings: S3Settings): ObjectInput {
  const { storageClass, serverSideEncryption, kmsKeyId, objectLock } = settings
  const encryption = serverSideEncryption ?? (kmsKeyId === undefined ? undefined : 'aws:kms')
  return {
    ContentType: CONTENT_TYPE,
    // Stores have classes of their own, that the SDK does not know.
    StorageClass: storageClass as StorageClass | undefined,
    ServerSideEncryption: encryption,
    SSEKMSKeyId: kmsKeyId,
    ObjectLockMode: objectLock && (objectLock.mode === 'compliance' ? 'COMPLIANCE' : 'GOVERNANCE'),
    ObjectLockRetainUntilDate: objectLock && new Date(Date.now() + objectLock.days * DAY_MS),
  }
}
