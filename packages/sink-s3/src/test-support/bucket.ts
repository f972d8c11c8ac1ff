import { S3Client } from '@aws-sdk/client-s3'
import type { Sink } from '@pipe-backup/sink'
import type { S3Server } from '@pipe-backup-test/services'
import type { S3SinkOptions } from '../s3-options.ts'

let buckets = 0

/** A bucket of its own, that the sink makes. */
export function newBucket(server: S3Server): S3SinkOptions & { readonly endpoint: string } {
  const { endpoint, region, accessKeyId, secretAccessKey } = server
  const bucket = `bucket-${++buckets}`
  return { name: 'cloud', endpoint, region, accessKeyId, secretAccessKey, bucket, create: true }
}

/** The SDK's own client, to look at the bucket past the sink. */
export function clientOf({ endpoint, region, accessKeyId, secretAccessKey }: S3Server): S3Client {
  return new S3Client({
    endpoint,
    region,
    credentials: { accessKeyId, secretAccessKey },
    forcePathStyle: true,
  })
}

/** Every key that is listed, sorted. */
export async function keysIn(sink: Sink): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of sink.list('')) keys.push(key)
  return keys.sort()
}
