import { expect, test } from 'vitest'
import { isAmazonsHost } from './s3-client.ts'

test.for([
  's3.amazonaws.com',
  's3.eu-west-1.amazonaws.com',
  's3-eu-west-1.amazonaws.com',
  'backups.s3.eu-west-1.amazonaws.com',
  'my.backups.s3.dualstack.eu-west-1.amazonaws.com',
  'backups.s3.cn-north-1.amazonaws.com.cn',
  'backups.vpce-1a2b.s3.us-east-1.vpce.amazonaws.com',
])('%s is Amazon', (host) => {
  expect(isAmazonsHost(host)).toBe(true)
})

test.for([
  '',
  '127.0.0.1',
  's3.example.com',
  's3.amazonaws.com.example.com',
  's3.eu-central-003.backblazeb2.com',
  'account.r2.cloudflarestorage.com',
  'ec2-1-2-3-4.eu-west-1.compute.amazonaws.com',
  'minio-s3.internal-amazonaws.com',
])('"%s" is not', (host) => {
  expect(isAmazonsHost(host)).toBe(false)
})
