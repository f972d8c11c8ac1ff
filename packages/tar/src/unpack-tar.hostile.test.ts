import { PassThrough, Readable } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import type { Entry, SourceProblem } from '@pipe-backup/source'
import { expect, test } from 'vitest'
import { type UnpackTarOptions, unpackTar } from './unpack-tar.ts'

const BLOCK = 512
const END = Buffer.alloc(2 * BLOCK)

interface Parts {
  readonly type?: string
  readonly link?: string
  readonly body?: Buffer
  readonly size?: number
  readonly magic?: string
  /** What else is written into the header, by offset. */
  readonly fields?: Readonly<Record<number, string>>
}

/** A member of an archive with a right checksum, whatever else is wrong with it. */
function member(name: string, parts: Parts = {}): Buffer {
  const { type = '0', link = '', body = Buffer.alloc(0), size = body.length, magic = 'ustar\x0000' } = parts
  const header = Buffer.alloc(BLOCK)
  header.write(name, 0, 100, 'latin1')
  header.write('0000644\0', 100)
  header.write(size.toString(8).padStart(11, '0'), 124)
  header.write(type, 156, 'latin1')
  header.write(link, 157, 'latin1')
  header.write(magic, 257, 'latin1')
  for (const [at, text] of Object.entries(parts.fields ?? {})) header.write(text, Number(at), 'latin1')
  header.fill(' ', 148, 156)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0`, 148, 'latin1')
  return Buffer.concat([header, body, Buffer.alloc((BLOCK - (body.length % BLOCK)) % BLOCK)])
}

function pax(records: Readonly<Record<string, string>>, type = 'x'): Buffer {
  const lines = Object.entries(records).map(([key, value]) => {
    const rest = ` ${key}=${value}\n`
    let length = rest.length
    while (String(length).length + rest.length !== length) length = String(length).length + rest.length
    return `${length}${rest}`
  })
  return member('PaxHeader', { type, body: Buffer.from(lines.join(''), 'latin1') })
}

async function unpack(tar: Buffer | Readable, options: UnpackTarOptions = {}): Promise<Entry[]> {
  const found: Entry[] = []
  for await (const entry of unpackTar(Buffer.isBuffer(tar) ? Readable.from([tar]) : tar, options))
    found.push(entry)
  return found
}

const paths = (entries: Entry[]): string[] => entries.map(({ path }) => Buffer.from(path).toString())
const archive = (...members: Buffer[]): Buffer => Buffer.concat([...members, END])

test.for([
  ['leads up', member('../evil')],
  ['leads up further on', member('a/b/../../../evil')],
  ['ends upwards', member('a/..')],
  ['is absolute', member('/etc/passwd')],
  ['is absolute by its prefix', member('evil', { fields: { 345: '/etc' } })],
  ['leads up by a pax record', Buffer.concat([pax({ path: '../evil' }), member('good')])],
  [
    'leads up by a long name',
    Buffer.concat([member('L', { type: 'L', body: Buffer.from('../evil') }), member('x')]),
  ],
  ['has a NUL', Buffer.concat([pax({ path: 'a\0b' }), member('good')])],
  ['links upwards', member('h', { type: '1', link: '../evil' })],
  ['links to an absolute path', member('h', { type: '1', link: '/etc/passwd' })],
  ['is a link to nothing', member('s', { type: '2' })],
] as const)('an entry that %s is refused by name, and the rest goes on', async ([, bad]) => {
  const tar = archive(member('before'), bad, member('after', { body: Buffer.from('x') }))
  await expect(unpack(tar)).rejects.toMatchObject({ code: 'unsafe-path', path: expect.any(String) })
  const problems: SourceProblem[] = []
  const found = await unpack(tar, { onProblem: (problem) => problems.push(problem) })
  expect(paths(found)).toEqual(['before', 'after'])
  expect(problems).toMatchObject([{ code: 'unreadable', message: expect.stringMatching(/was not taken$/) }])
})

test.for(['M', 'N', 'S', 'Z', '9'])(
  'an entry of unknown type %s is named, its bytes passed over',
  async (type) => {
    const tar = archive(member('odd', { type, body: Buffer.alloc(1000, 'q') }), member('after'))
    await expect(unpack(tar)).rejects.toMatchObject({ code: 'unsupported', path: 'odd' })
    const problems: SourceProblem[] = []
    expect(paths(await unpack(tar, { onProblem: (problem) => problems.push(problem) }))).toEqual(['after'])
    expect(problems).toMatchObject([{ path: 'odd' }])
  },
)

const sparse = (records: Readonly<Record<string, string>>, body = Buffer.alloc(1024)): Buffer =>
  archive(pax({ 'GNU.sparse.size': '100000', ...records }), member('holes', { body }))

test.for([
  ['a size that is no number', member('f', { fields: { 124: '00000000zz\0\0' } })],
  ['a negative size', member('f', { fields: { 124: '\xff'.repeat(12) } })],
  [
    'a size beyond all numbers',
    member('f', { fields: { 124: '\x80\x7f\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff' } }),
  ],
  ['a negative owner', member('f', { fields: { 108: '\xff'.repeat(8) } })],
  ['a pax size that is no number', Buffer.concat([pax({ size: '0x10' }), member('f')])],
  ['a pax size with a sign', Buffer.concat([pax({ size: '-1' }), member('f')])],
  ['a pax size beyond all numbers', Buffer.concat([pax({ size: '9'.repeat(20) }), member('f')])],
  ['a pax time that is none', Buffer.concat([pax({ mtime: '1e9' }), member('f')])],
  ['a pax record longer than its header', member('x', { type: 'x', body: Buffer.from('99 path=a\n') })],
  ['a pax record of length 0', member('x', { type: 'x', body: Buffer.from('0 path=a\n') })],
  ['a pax record without an end', member('x', { type: 'x', body: Buffer.from('9 path=ab') })],
  ['a pax record without a value', member('x', { type: 'x', body: Buffer.from('7 path\n') })],
  ['a pax header with no entry behind it', pax({ path: 'lost' })],
  ['a long name with no entry behind it', member('L', { type: 'L', body: Buffer.from('lost') })],
  ['stretches that overlap', sparse({ 'GNU.sparse.map': '0,512,511,512' })],
  ['stretches that run backwards', sparse({ 'GNU.sparse.map': '600,512,0,512' })],
  ['a stretch behind the end', sparse({ 'GNU.sparse.map': '0,512,99999,512' })],
  ['stretches that are fewer than the bytes', sparse({ 'GNU.sparse.map': '0,512' })],
  ['stretches that are more than the bytes', sparse({ 'GNU.sparse.map': '0,512,512,513' })],
  ['a stretch without a length', sparse({ 'GNU.sparse.map': '0,512,512' })],
  ['a map that is no numbers', sparse({ 'GNU.sparse.map': 'a,b' })],
  ['stretches out of turn', sparse({ 'GNU.sparse.numbytes': '512', 'GNU.sparse.offset': '0' })],
  [
    'a map longer than its entry',
    sparse({ 'GNU.sparse.major': '1', 'GNU.sparse.realsize': '9' }, Buffer.from(`400\n${'1\n'.repeat(100)}`)),
  ],
  [
    'a map that never ends its number',
    sparse({ 'GNU.sparse.major': '1', 'GNU.sparse.realsize': '9' }, Buffer.alloc(4096, '1')),
  ],
  ['a map without a length', archive(pax({ 'GNU.sparse.major': '1' }), member('f'))],
  ['one block of zeros in its middle', Buffer.concat([member('f'), Buffer.alloc(BLOCK), member('g')])],
  ['another archive behind it', archive(member('f'), END, member('g'))],
] as const)('an archive with %s is corrupt', async ([, bad]) => {
  await expect(unpack(archive(bad))).rejects.toMatchObject({
    name: 'TarError',
    code: 'corrupt',
    message: expect.stringMatching(/ \(at byte \d+ of the archive\)$/),
  })
})

test.for([
  ['pax', member('x', { type: 'x', size: 0o77777777777 })],
  ['global pax', member('x', { type: 'g', size: 3_000_000 })],
  ['long name', member('x', { type: 'L', size: 3_000_000 })],
  ['long link', member('x', { type: 'K', size: 3_000_000 })],
] as const)('a %s header that would fill the memory is refused before it is read', async ([, bad]) => {
  await expect(unpack(bad)).rejects.toMatchObject({ code: 'too-large' })
})

test('a map of holes that would fill the memory is refused', async () => {
  const records = pax({ 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.realsize': '9' })
  const claims = archive(records, member('f', { body: Buffer.from('1048577\n'.padEnd(BLOCK, '1\n')) }))
  await expect(unpack(claims)).rejects.toMatchObject({ code: 'too-large' })
  const more = Buffer.alloc(BLOCK)
  for (let i = 0; i < 21; i++) more.write('00000000000000000000000\0', i * 24)
  more[504] = 1
  async function* endless(): AsyncGenerator<Buffer> {
    yield member('f', { type: 'S', magic: 'ustar  \0', fields: { 482: '\x01' } })
    for (;;) yield more
  }
  await expect(unpack(Readable.from(endless()))).rejects.toMatchObject({ code: 'too-large' })
})

test.for([
  ['gzip', gzipSync('x'.repeat(2000)), 'gzip'],
  ['zstd', Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd]), Buffer.alloc(600)]), 'zstd'],
  ['random', Buffer.alloc(2048, 'not a tar'), 'encrypted'],
] as const)('%s bytes are told from a tar archive', async ([, bytes, said]) => {
  const padded = Buffer.concat([bytes, Buffer.alloc(BLOCK)])
  await expect(unpack(padded)).rejects.toMatchObject({ code: 'corrupt', hint: expect.stringContaining(said) })
})

test('an archive without a byte is no empty archive', async () => {
  await expect(unpack(Buffer.alloc(0))).rejects.toMatchObject({ code: 'truncated' })
  expect(await unpack(END)).toEqual([])
})

test('padding behind the end is read, to the end of the source', async () => {
  const source = Readable.from([archive(member('f')), Buffer.alloc(9000), Buffer.alloc(17)])
  expect(paths(await unpack(source))).toEqual(['f'])
  expect(source.readableEnded).toBe(true)
})

test('a link with the size of its file, but without its bytes, does not swallow what follows', async () => {
  const tar = archive(
    member('h', { type: '1', link: 'f', size: 700 }),
    member('g', { body: Buffer.from('x') }),
  )
  expect(paths(await unpack(tar))).toEqual(['h', 'g'])
})

test('a link with the bytes of its file is a link, and they are passed over', async () => {
  const link = member('h', { type: '1', link: 'f', body: Buffer.alloc(700, 'b') })
  const tar = archive(pax({ mtime: '1' }), link, member('g'))
  expect(paths(await unpack(tar))).toEqual(['h', 'g'])
  await expect(unpack(tar.subarray(0, 2200))).rejects.toMatchObject({ code: 'truncated' })
})

test('a header whose bytes were added up as signed numbers is read', async () => {
  const header = member('n\xe9')
  header.write(
    `${(Number.parseInt(header.toString('latin1', 148, 154), 8) - 256).toString(8).padStart(6, '0')}\0`,
    148,
  )
  expect(await unpack(archive(header))).toMatchObject([{ path: Buffer.from('n\xe9', 'latin1') }])
})

test("star's shorter prefix is told from ustar's", async () => {
  const header = member('name', { fields: { 345: 'prefix', 476: '00000000000 00000000000 ', 508: 'tar\0' } })
  expect(paths(await unpack(archive(header)))).toEqual(['prefix/name'])
})

test('an entry cut short fails where its bytes are read', async () => {
  const tar = member('f', { body: Buffer.alloc(5000, 'x') }).subarray(0, 3000)
  for await (const entry of unpackTar(Readable.from([tar]))) {
    if (entry.type !== 'file') throw new Error('a file was expected')
    const reader = await entry.open()
    expect(await reader.read(Buffer.alloc(10_000))).toBe(3000 - BLOCK)
    await expect(reader.read(Buffer.alloc(10_000))).rejects.toMatchObject({ code: 'truncated', path: 'f' })
    break
  }
})

test('bytes can be read once, before the next entry', async () => {
  const tar = archive(member('f', { body: Buffer.from('x') }), member('g'))
  const entries = unpackTar(Readable.from([tar]))
  const { value } = await entries.next()
  if (value?.type !== 'file') throw new Error('a file was expected')
  const reader = await value.open()
  expect(() => value.open()).toThrow(expect.objectContaining({ code: 'unreadable' }))
  await entries.next()
  expect(() => reader.read(Buffer.alloc(1))).toThrow(
    expect.objectContaining({ code: 'unreadable', path: 'f' }),
  )
  expect((await entries.next()).done).toBe(true)
})

test('nothing is read ahead of the entries', async () => {
  let pulled = 0
  async function* pieces(): AsyncGenerator<Buffer> {
    for (let i = 0; i < 100; i++) {
      pulled++
      yield member(`f${i}`, { body: Buffer.alloc(5000) })
    }
    yield END
  }
  let seen = 0
  for await (const entry of unpackTar(pieces())) {
    expect(entry.type).toBe('file')
    expect(pulled).toBe(++seen)
  }
  expect(seen).toBe(100)
})

test('ten gigabytes that nobody reads are passed over', async () => {
  const piece = Buffer.alloc(1024 * 1024)
  async function* pieces(): AsyncGenerator<Buffer> {
    yield member('huge', { fields: { 124: '\x80\0\0\0\0\0\0\x02\x80\0\0\0' } })
    for (let i = 0; i < 10 * 1024; i++) yield piece
    yield archive(member('after'))
  }
  const found: Entry[] = []
  for await (const entry of unpackTar(pieces())) found.push(entry)
  expect(found).toMatchObject([{ size: 10 * 1024 ** 3 }, { path: Buffer.from('after') }])
})

test('an abort ends the waiting, with its reason, and closes the source', async () => {
  const source = new PassThrough()
  source.write(member('f', { body: Buffer.alloc(5000) }).subarray(0, 1000))
  const controller = new AbortController()
  const reason = new Error('enough')
  const entries = unpackTar(source, { signal: controller.signal })
  const { value } = await entries.next()
  if (value?.type !== 'file') throw new Error('a file was expected')
  const reader = await value.open()
  expect(await reader.read(Buffer.alloc(BLOCK))).toBe(1000 - BLOCK)
  const waiting = Promise.allSettled([reader.read(Buffer.alloc(BLOCK)), entries.next()])
  await nextTurn()
  controller.abort(reason)
  expect(await waiting).toEqual([
    { status: 'rejected', reason },
    { status: 'rejected', reason },
  ])
  await expect.poll(() => source.destroyed).toBe(true)
})

test('whoever leaves early closes the source', async () => {
  const source = Readable.from([member('f'), member('g'), END])
  for await (const entry of unpackTar(source)) {
    expect(entry.type).toBe('file')
    break
  }
  expect(source.destroyed).toBe(true)
})

test("the source's own failure comes through as it is", async () => {
  const failure = new Error('the line went dead')
  async function* pieces(): AsyncGenerator<Buffer> {
    yield member('f', { body: Buffer.alloc(5000) }).subarray(0, 600)
    throw failure
  }
  await expect(unpack(Readable.from(pieces()))).rejects.toBe(failure)
})

test('text instead of bytes is refused', async () => {
  await expect(unpack(Readable.from(['text']))).rejects.toThrow(/must come as bytes/)
})
