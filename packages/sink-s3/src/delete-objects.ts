import { SinkError, type SinkOptions } from '@pipe-backup/sink'
import type { S3Bucket } from './s3-bucket.ts'
import { keyError, statusOf } from './s3-errors.ts'
import { aborting } from './s3-reads.ts'

/** The most that one request takes. */
export const KEYS_AT_ONCE = 1000

/**
 * Deletes in one request. Errors are the SDK's.
 * @returns the keys that are still there, and why; undefined when the store deletes one by one alone
 */
export async function deleteObjects(
  bucket: S3Bucket,
  keys: readonly string[],
  options: SinkOptions,
): Promise<ReadonlyMap<string, SinkError> | undefined> {
  const { sdk, client } = await bucket.open()
  const sink = bucket.settings.name
  const left = new Map(keys.map((key) => [bucket.at(key).Key, key]))
  const objects = Array.from(left.keys(), (Key) => ({ Key }))
  // Not `Quiet`: an answer of nothing, of whoever it was, must not mean that all is deleted.
  const request = new sdk.DeleteObjectsCommand({
    Bucket: bucket.settings.bucket,
    Delete: { Objects: objects, Quiet: false },
  })
  const answer = await client.send(request, aborting(options)).catch((error: unknown) => {
    const status = statusOf(error)
    if (status === 405 || status === 501) return undefined
    throw error
  })
  if (!answer) return undefined
  const failed = new Map<string, SinkError>()
  for (const { Key: name = '' } of answer.Deleted ?? []) left.delete(name)
  for (const { Key: name = '', Code: code = 'without saying why', Message: message } of answer.Errors ?? []) {
    const key = left.get(name)
    left.delete(name)
    if (key !== undefined && code !== 'NoSuchKey') failed.set(key, keyError(code, message, { sink, key }))
  }
  for (const key of left.values())
    failed.set(key, new SinkError('protocol', 'the store does not say whether it is deleted', { sink, key }))
  return failed
}
