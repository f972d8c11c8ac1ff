import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { s3Sink } from '@pipe-backup/sink-s3'
import { initVault, listSnapshots, markSnapshot, prune, verify } from '@pipe-backup/vault'
import { startConditionalWrites, startS3 } from '@pipe-backup-test/services'
import { expect, test } from 'vitest'
import { keys, SmallVault } from './small-vault.ts'

const MIB = 1024 * 1024

test('a bucket whose policy lets no object be replaced, but sessions: all else is written with If-None-Match', async () => {
  await using server = await startS3()
  await using policy = await startConditionalWrites(server.endpoint, /^backups\/tipbot\/sessions\//)
  const { region, accessKeyId, secretAccessKey } = server
  const options = { name: 'cloud', bucket: 'backups', prefix: 'tipbot', region, accessKeyId, secretAccessKey }
  const replaceable = ['sessions/']
  await using owner = s3Sink({ ...options, endpoint: server.endpoint, create: true })
  await using cloud = s3Sink({
    ...options,
    endpoint: policy.endpoint,
    appendOnly: true,
    replaceable,
    partBytes: 5 * MIB,
  })
  expect(cloud.appendOnly).toBe(true)
  using vault = await SmallVault.create(1)
  const sinks = [...vault.stores, cloud]
  await owner.put('made', Buffer.from('the bucket'))
  await initVault({ sinks: [cloud], publicKey: keys.publicKey })
  for (let i = 0; i < 3; i++) {
    vault.live()
    expect(await vault.backUp(sinks)).toMatchObject({ exitCode: 0, copies: 2 })
  }
  // In parts, and in one.
  const bytes = (count: number) => Readable.from(Array.from({ length: count }, () => Buffer.alloc(MIB, 'a')))
  await pipeline(bytes(12), cloud.createWriteStream('archives/large'))
  await pipeline(bytes(1), cloud.createWriteStream('archives/small'))
  // The same again is stored; others in its place are not.
  await cloud.put('archives/other', Buffer.from('as it was'))
  await cloud.put('archives/other', Buffer.from('as it was'))
  await expect(cloud.put('archives/other', Buffer.from('as it is'))).rejects.toMatchObject({
    code: 'forbidden',
  })
  await expect(pipeline(bytes(12), cloud.createWriteStream('archives/large'))).rejects.toMatchObject({
    code: 'forbidden',
  })

  const call = { ...vault.call, sinks }
  const [snapshot] = await listSnapshots(call)
  if (!snapshot) throw new Error('no snapshot')
  for (const change of [{ pinned: true, addTags: ['t'] }, { pinned: false }, { pinned: true }])
    expect(await markSnapshot({ ...call, snapshot, change })).toMatchObject({ isChanged: true, exitCode: 0 })
  await prune({ ...call, compact: true, choose: () => new Set(), onProblem: () => undefined })
  expect(await verify({ ...call, deepKeys: keys })).toMatchObject({ exitCode: 0 })
  expect(await vault.flawsOf(cloud)).toEqual([])
  const { conditional, plain, refused } = policy.written
  expect(refused).toEqual([])
  expect(new Set(plain.map((key) => key.split('/')[2]))).toEqual(new Set(['sessions']))
  expect(new Set(conditional.map((key) => key.split('/')[2]))).toEqual(
    new Set(['vault.json', 'packs', 'index', 'snapshots', 'marks', 'archives']),
  )

  // Who does not send the condition is refused, and is heard.
  await using other = s3Sink({ ...options, endpoint: policy.endpoint })
  await expect(other.put('packs/one', Buffer.from('bytes'))).rejects.toMatchObject({ code: 'forbidden' })
  expect(refused).toEqual(['backups/tipbot/packs/one'])
})
