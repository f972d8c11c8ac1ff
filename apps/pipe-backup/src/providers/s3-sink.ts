import { z } from 'zod'
import { ifSet } from '../config/if-set.ts'
import { strictObject } from '../config/strict-object.ts'
import { keyId, secret, text } from '../config/values.ts'
import { checked } from './checked.ts'
import { below } from './sink-location.ts'
import { type SinkType, sinkType } from './sink-type.ts'
import { webProxy } from './web-proxy.ts'

/** Sessions are stored again while they last, by which others see that they do. */
const REPLACEABLE = ['sessions/']

export const s3: SinkType = sinkType(
  's3',
  'A bucket of Amazon S3, or of a store that speaks its language',
  {
    bucket: text.describe('`init` makes it when it is missing'),
    prefix: text.optional().describe('Where all is below, as in a path. Default: the bucket itself'),
    region: text
      .optional()
      .describe("The bucket's. Default: that of the environment or the profile; us-east-1 with an endpoint"),
    endpoint: text
      .regex(/^https?:\/\//, 'must be a URL: https://s3.example.com')
      .optional()
      .describe("URL of a store that is not Amazon's: https://s3.example.com"),
    forcePathStyle: z
      .boolean()
      .optional()
      .describe('The bucket in the path, not in the name of the host. Default: with an endpoint'),
    accessKeyId: keyId
      .describe('With secretAccessKey. Without both: environment, profile, SSO, container, instance')
      .optional(),
    secretAccessKey: secret.optional(),
    sessionToken: secret.optional().describe('With both keys, where they are temporary'),
    profile: text.optional().describe('Of ~/.aws/config and ~/.aws/credentials, instead of keys'),
    storageClass: text
      .regex(/^(?!GLACIER$|DEEP_ARCHIVE$)/, 'must be one that can be read at once: GLACIER_IR, STANDARD_IA…')
      .optional()
      .describe('One that can be read at once: STANDARD_IA, INTELLIGENT_TIERING, GLACIER_IR…'),
    objectLock: strictObject({
      mode: z
        .enum(['governance', 'compliance'])
        .describe('governance can be lifted by who has the right to, compliance by nobody'),
      days: z.number().int().positive().describe('How long each object is locked, from when it is stored'),
    })
      .optional()
      .describe('What is stored can not be deleted for so long. Of a bucket that has Object Lock'),
    appendOnly: z
      .boolean()
      .optional()
      .describe(
        'Nothing is replaced: each object is stored with If-None-Match, as a policy of the bucket may want. Default: false',
      ),
    serverSideEncryption: z
      .enum(['AES256', 'aws:kms', 'aws:kms:dsse'])
      .optional()
      .describe(
        'What the store encrypts with, beside what is encrypted already. Default: what the bucket says',
      ),
    kmsKeyId: text.optional().describe('Key of the KMS to encrypt with'),
  },
  async (given, context) => {
    const { s3Sink } = await import('@pipe-backup/sink-s3')
    const { prefix, region, endpoint, forcePathStyle, accessKeyId, secretAccessKey, sessionToken } = given
    const { profile, storageClass, objectLock, appendOnly, serverSideEncryption, kmsKeyId } = given
    const options = {
      name: context.name,
      bucket: given.bucket,
      create: context.create,
      prefix,
      region,
      endpoint,
      forcePathStyle,
      accessKeyId: await ifSet(accessKeyId, context.secret),
      secretAccessKey: await ifSet(secretAccessKey, context.secret),
      sessionToken: await ifSet(sessionToken, context.secret),
      profile,
      storageClass,
      objectLock,
      appendOnly,
      replaceable: REPLACEABLE,
      serverSideEncryption,
      kmsKeyId,
    }
    return checked(context.name, () => s3Sink(options))
  },
  {
    location: ({ endpoint = '', bucket, prefix = '' }) =>
      below(`s3 ${endpointOf(endpoint)} ${bucket}`, prefix),
    server: ({ endpoint, region }) => endpoint ?? (region === undefined ? undefined : `s3 ${region}`),
    // What Object Lock keeps is hidden by a delete, or by a put, and still there.
    unguarded: ({ appendOnly, objectLock }) =>
      appendOnly && !objectLock ? { appendOnly: undefined } : undefined,
    asks: () => ['endpoint', 'region', 'bucket', 'prefix', 'accessKeyId', 'secretAccessKey'],
    environment: () => ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', ...webProxy()],
  },
)

/** All endpoints of Amazon's are one store: a bucket's name is there once. */
function endpointOf(endpoint: string): string {
  if (!URL.canParse(endpoint)) return 'amazon'
  const { origin, hostname } = new URL(endpoint)
  return /(?:^|\.)s3[.-](?:[a-z0-9.-]+\.)?amazonaws\.com$/.test(hostname) ? 'amazon' : origin
}
