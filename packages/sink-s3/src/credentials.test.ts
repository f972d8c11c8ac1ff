import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type S3Server, startS3 } from '@pipe-backup-test/services'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { S3SinkOptions } from './s3-options.ts'
import { newBucket } from './test-support/bucket.ts'

const run = promisify(execFile)

let server: S3Server
/** Of a gateway that gives out temporary credentials. */
let sts: string
let directory: string
beforeAll(async () => {
  server = await startS3()
  sts = await server.startGateway('--rgw_s3_auth_use_sts=true', '--rgw_sts_key=abcdefghijklmnop')
  directory = mkdtempSync(join(tmpdir(), 's3-credentials-'))
  const { accessKeyId, secretAccessKey } = server
  const keys = `aws_access_key_id = ${accessKeyId}\naws_secret_access_key = ${secretAccessKey}\n`
  writeFileSync(
    join(directory, 'credentials'),
    `[default]\n${keys}[wrong]\n${keys.replace(/Testers/, 'Wrong')}`,
  )
  const role = 'role_arn = arn:aws:iam:::role/backup\nrole_session_name = tests\nsource_profile = default\n'
  const command = `credential_process = cat ${join(directory, 'process.json')}\n`
  const process = { Version: 1, AccessKeyId: accessKeyId, SecretAccessKey: secretAccessKey }
  writeFileSync(join(directory, 'process.json'), JSON.stringify(process))
  const profiles = `[profile role]\n${role}[profile process]\n${command}[profile store]\nendpoint_url = ${server.endpoint}\n${command}`
  writeFileSync(join(directory, 'config'), profiles)
  await makeRole()
})
afterAll(async () => {
  rmSync(directory, { recursive: true, force: true })
  await server[Symbol.asyncDispose]()
})

async function makeRole(): Promise<void> {
  const document = (statement: object) =>
    JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', ...statement }] })
  const assume = document({ Principal: { AWS: ['arn:aws:iam:::user/tester'] }, Action: ['sts:AssumeRole'] })
  const all = document({ Action: ['s3:*'], Resource: 'arn:aws:s3:::*' })
  await server.admin('role', 'create', '--role-name=backup', `--assume-role-policy-doc=${assume}`)
  await server.admin('role-policy', 'put', '--role-name=backup', '--policy-name=all', `--policy-doc=${all}`)
}

/** What a process prints that puts an object and reads it; it has no credentials but those it is given. */
async function puts(
  options: Partial<S3SinkOptions>,
  env: Record<string, string> = {},
  more = '',
): Promise<string> {
  const { accessKeyId: _, secretAccessKey: __, ...keyless } = newBucket(server)
  const code = `
    import { s3Sink } from '@pipe-backup/sink-s3'
    let options = ${JSON.stringify({ ...keyless, ...options })}
    ${more}
    const sink = s3Sink(options)
    try {
      await sink.put('object', Buffer.from('stored'), { ifAbsent: true })
      await sink.put('object', Buffer.from('stored'), { ifAbsent: true }).catch(({ code }) => console.log(code))
      console.log(Buffer.from(await sink.get('object')).toString())
    } catch (error) {
      console.log(error.code, error.message, error.hint)
    }`
  const { stdout, stderr } = await run(
    process.execPath,
    ['--conditions=pipe-backup-src', '--input-type=module', '-e', code],
    {
      cwd: import.meta.dirname,
      env: {
        PATH: process.env['PATH'],
        HOME: directory,
        AWS_CONFIG_FILE: join(directory, 'config'),
        AWS_SHARED_CREDENTIALS_FILE: join(directory, 'credentials'),
        AWS_EC2_METADATA_DISABLED: 'true',
        ...env,
      },
    },
  )
  return `${stdout}${stderr}`.trim()
}

test('keys come from the environment', async () => {
  const { accessKeyId, secretAccessKey } = server
  const keys = { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey }
  expect(await puts({}, { ...keys, AWS_SHARED_CREDENTIALS_FILE: '/dev/null' })).toBe('exists\nstored')
})

test('keys come from the credentials file, of the default profile or of one that is named', async () => {
  expect(await puts({})).toBe('exists\nstored')
  expect(await puts({ profile: 'wrong' })).toMatch(/^unauthorized sink "cloud": the credentials are not/)
  expect(await puts({}, { AWS_PROFILE: 'wrong' })).toMatch(/^unauthorized /)
  expect(await puts({ profile: 'default' }, { AWS_PROFILE: 'wrong' })).toBe('exists\nstored')
})

test('keys come from a program that the profile names', async () => {
  expect(await puts({ profile: 'process' })).toBe('exists\nstored')
})

test('a role that the profile names is assumed', async () => {
  const env = { AWS_ENDPOINT_URL_STS: sts, AWS_REGION: 'us-east-1' }
  expect(await puts({ profile: 'role', endpoint: sts }, env)).toBe('exists\nstored')
})

test('temporary keys work with their session token, and without it are one clear line', async () => {
  const env = { AWS_ENDPOINT_URL_STS: sts, AWS_REGION: 'us-east-1' }
  const assume = (taken: string) => `
    const { S3Client } = await import('@aws-sdk/client-s3')
    const { accessKeyId, secretAccessKey, sessionToken } = await new S3Client({ profile: 'role' }).config.credentials()
    options = { ...options, ${taken} }`
  expect(await puts({ endpoint: sts }, env, assume('accessKeyId, secretAccessKey, sessionToken'))).toBe(
    'exists\nstored',
  )
  const without = await puts({ endpoint: sts }, env, assume('accessKeyId, secretAccessKey'))
  expect(without).toMatch(/^(?:forbidden sink "cloud": object:?|unauthorized sink "cloud":) .* Check/)
})

test('an endpoint comes from the environment or the profile', async () => {
  const env = { AWS_REGION: 'us-east-1' }
  const amazon = 'delete options.endpoint; delete options.region; options.forcePathStyle = true'
  expect(await puts({}, { ...env, AWS_ENDPOINT_URL: server.endpoint }, amazon)).toBe('exists\nstored')
  expect(await puts({}, { ...env, AWS_ENDPOINT_URL_S3: server.endpoint }, amazon)).toBe('exists\nstored')
  expect(await puts({}, { ...env, AWS_PROFILE: 'store' }, amazon)).toBe('exists\nstored')
})

test('no credentials, no profile and no region are each one clear line', async () => {
  const nothing = { AWS_SHARED_CREDENTIALS_FILE: '/dev/null' }
  expect(await puts({}, nothing)).toMatch(/^unauthorized sink "cloud": there are no credentials Check/)
  expect(await puts({ profile: 'unknown' })).toMatch(
    /^unauthorized sink "cloud": there are no credentials Check/,
  )
  const amazon = 'delete options.endpoint; delete options.region'
  expect(await puts({}, {}, amazon)).toMatch(
    /^protocol sink "cloud": object: there is no region Set `region`\.$/,
  )
})

test('the SDK is loaded by the first request, and not before', async () => {
  const { accessKeyId, secretAccessKey, bucket, endpoint } = newBucket(server)
  const options = { name: 'cloud', bucket, endpoint, accessKeyId, secretAccessKey, create: true }
  const code = `
    import { registerHooks } from 'node:module'
    const loaded = []
    registerHooks({ load(url, context, next) { if (/aws-sdk|smithy/.test(url)) loaded.push(url); return next(url, context) } })
    const { s3Sink } = await import('@pipe-backup/sink-s3')
    const sink = s3Sink(${JSON.stringify(options)})
    const before = loaded.length
    await sink.put('object', Buffer.from('stored'))
    await sink[Symbol.asyncDispose]()
    console.log(before, loaded.length > 0)`
  const args = ['--conditions=pipe-backup-src', '--input-type=module', '-e', code]
  const { stdout } = await run(process.execPath, args, { cwd: import.meta.dirname })
  expect(stdout.trim()).toBe('0 true')
})
