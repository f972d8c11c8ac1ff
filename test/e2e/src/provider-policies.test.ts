import { execFileSync } from 'node:child_process'
import { globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { PutBucketPolicyCommand, S3Client } from '@aws-sdk/client-s3'
import { s3Sink } from '@pipe-backup/sink-s3'
import { type S3Server, startS3 } from '@pipe-backup-test/services'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { Sandbox } from './sandbox.ts'

// The policies of docs/providers, on a real gateway: what they allow must be enough, and no action of them too many.

const PROVIDERS = resolve(import.meta.dirname, '../../../docs/providers')
const BUCKET = 'example-backups'
const PREFIX = 'tipbot'

interface Policy {
  readonly Statement: readonly { readonly Effect: string; readonly Action: readonly string[] }[]
}

const POLICIES = globSync('*.md', { cwd: PROVIDERS }).flatMap((page) =>
  [...readFileSync(join(PROVIDERS, page), 'utf8').matchAll(/^```json\n([^]*?)^```/gm)].flatMap(
    ([, json = '']) => {
      const policy: Policy = JSON.parse(json)
      return 'Statement' in policy ? [{ page, policy }] : []
    },
  ),
)

let server: S3Server
let owner: S3Client
const user = {
  accessKeyId: 'LIMITEDKEYID00000000',
  secretAccessKey: 'LimitedSecretKeyWith40Characters00000000',
}
beforeAll(async () => {
  server = await startS3()
  const { endpoint, region, accessKeyId, secretAccessKey } = server
  const credentials = { accessKeyId, secretAccessKey }
  owner = new S3Client({ endpoint, region, credentials, forcePathStyle: true })
  const name = ['--uid', PREFIX, '--display-name', PREFIX, '--max-buckets', '-1']
  const keys = ['--access-key', user.accessKeyId, '--secret', user.secretAccessKey]
  await server.admin('user', 'create', ...name, ...keys)
})
afterAll(async () => {
  owner.destroy()
  await server[Symbol.asyncDispose]()
})

let buckets = 0

/** A bucket of the owner's in which the limited user has a policy's rights, without one of its actions, and a vault to be made there. */
async function setting(
  policy: Policy,
  { without, options = {} }: { without?: string; options?: object } = {},
): Promise<Sandbox> {
  const bucket = `${BUCKET}-${++buckets}`
  const { endpoint, region, accessKeyId, secretAccessKey } = server
  const asOwner = { name: 'cloud', bucket, endpoint, region, accessKeyId, secretAccessKey, create: true }
  await using made = s3Sink(asOwner)
  await made.put('made', Buffer.from('by the owner'))
  // What a policy of a user says, a gateway wants in that of the bucket.
  const Principal = { AWS: [`arn:aws:iam:::user/${PREFIX}`] }
  const Statement = policy.Statement.map((statement) => ({
    Principal,
    ...statement,
    Action: statement.Action.filter((action) => action !== without),
  }))
  const text = JSON.stringify({ ...policy, Statement }).replaceAll(BUCKET, bucket)
  await owner.send(new PutBucketPolicyCommand({ Bucket: bucket, Policy: text }))
  const sandbox = new Sandbox()
  onTestFinished(() => sandbox[Symbol.dispose]())
  mkdirSync(sandbox.path('tree'))
  writeFileSync(sandbox.path('tree/file'), 'content')
  sandbox.configure({
    sources: [{ type: 'files', name: 'tree', paths: ['tree'] }],
    sinks: [
      {
        type: 's3',
        name: 'cloud',
        bucket,
        prefix: PREFIX,
        endpoint,
        region,
        ...user,
        retries: 0,
        ...options,
      },
    ],
    keep: { last: 1 },
  })
  return sandbox
}

/** What doctor says of the sink. */
async function doctor(sandbox: Sandbox): Promise<{ state: string; message: string }[]> {
  const { out } = await sandbox.run(['doctor', '--json', '--no-notify'])
  const { checks } = JSON.parse(out.toString())
  return checks.filter(({ subject }: { subject: string }) => subject === 'sink cloud')
}

test('there are policies', () => {
  expect(POLICIES.map(({ page }) => page)).toEqual(expect.arrayContaining(['aws-s3.md', 'ceph-rgw.md']))
})

test.for(POLICIES)('the policy of $page is enough for all that is done with a vault', async ({ policy }) => {
  const sandbox = await setting(policy)
  await sandbox.ok(['init', '--phrase-out', 'phrase'])
  expect(await doctor(sandbox)).toEqual([
    expect.objectContaining({ state: 'ok', message: expect.stringContaining('listed and deleted') }),
  ])
  await sandbox.ok(['run'])
  writeFileSync(sandbox.path('tree/file'), 'other content')
  await sandbox.ok(['run'])
  // In parts.
  await sandbox.ok(['send', '--stdin', 'large'], { input: Buffer.alloc(40 * 1024 * 1024, 'x') })
  await sandbox.ok(['prune', '--compact', '--force'])
  await sandbox.ok(['verify', '--deep', '--phrase-file', 'phrase'])
  await sandbox.ok(['heal'])
  await sandbox.ok(['restore', 'latest', '--phrase-file', 'phrase', '--to', 'restored'])
})

// Not s3:GetObject: a gateway lets a user read the objects that are its own whatever the policy says; Amazon does not.
test.for([
  ['s3:PutObject', 'failure'],
  ['s3:ListBucket', 'failure'],
  ['s3:DeleteObject', 'warning'],
])('without %s doctor reports a %s', async ([action = '', state]) => {
  const [first] = POLICIES
  if (!first) throw new Error('no policy')
  const sandbox = await setting(first.policy, { without: action })
  await sandbox.run(['init', '--phrase-out', 'phrase'])
  expect((await doctor(sandbox)).map((check) => check.state)).toContain(state)
})

test('a bucket that is called append-only, and has no policy to make it so, is not taken for one', async () => {
  const [first] = POLICIES
  if (!first) throw new Error('no policy')
  const sandbox = await setting(first.policy, { options: { appendOnly: true } })
  expect(await doctor(sandbox)).toContainEqual(
    expect.objectContaining({ state: 'warning', message: expect.stringContaining('though `appendOnly`') }),
  )
  const undeletable = await setting(first.policy, {
    without: 's3:DeleteObject',
    options: { appendOnly: true },
  })
  expect(await doctor(undeletable)).toContainEqual(
    expect.objectContaining({ state: 'warning', message: expect.stringContaining('lets it be replaced') }),
  )
})

test('sshd takes the lines of sshd_config that are shown', () => {
  using sandbox = new Sandbox()
  const page = readFileSync(join(PROVIDERS, 'sshd.md'), 'utf8')
  const lines = /^```sshd_config\n([^]*?)^```/m.exec(page)?.[1]
  if (lines === undefined) throw new Error('there are none')
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', sandbox.path('host')])
  writeFileSync(sandbox.path('config'), `HostKey ${sandbox.path('host')}\n${lines}`)
  const asked = ['-T', '-C', 'user=tipbot,host=h,addr=127.0.0.1', '-f', sandbox.path('config')]
  mkdirSync('/run/sshd', { recursive: true })
  const said = execFileSync('/usr/sbin/sshd', asked, { encoding: 'utf8' })
  expect(said).toContain('chrootdirectory /srv/backup/%u')
  expect(said).toContain('forcecommand internal-sftp')
  expect(said).toContain('disableforwarding yes')
  expect(said).toContain('authenticationmethods publickey')
})
