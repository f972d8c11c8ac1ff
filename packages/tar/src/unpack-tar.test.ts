import { execFileSync } from 'node:child_process'
import {
  closeSync,
  ftruncateSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import type { Entry } from '@pipe-backup/source'
import { pack } from 'tar-stream'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { unpackTar } from './unpack-tar.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'unpack-tar-'))
  mkdirSync(join(directory, 'tree'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

/** An entry with its bytes. */
type Unpacked = Entry & { readonly bytes?: Buffer }

async function unpack(tar: Buffer): Promise<Unpacked[]> {
  const found: Unpacked[] = []
  for await (const entry of unpackTar(Readable.from([tar]))) {
    if (entry.type !== 'file') found.push(entry)
    else {
      const reader = await entry.open()
      const pieces: Buffer[] = []
      for (;;) {
        const piece = Buffer.alloc(10_000)
        const got = await reader.read(piece)
        if (got === 0) break
        pieces.push(piece.subarray(0, got))
      }
      await reader.finish()
      found.push({ ...entry, bytes: Buffer.concat(pieces) })
    }
  }
  return found
}

const run = (program: string, ...args: string[]): Buffer =>
  execFileSync(program, args, {
    cwd: join(directory, 'tree'),
    maxBuffer: 1 << 30,
    stdio: 'pipe',
  })

/** What Python's tarfile makes of the tree, with more arguments for `tarfile.open`. */
const python = (more: string): Buffer =>
  run(
    'python3',
    '-c',
    `import sys, tarfile, os
with tarfile.open(fileobj=sys.stdout.buffer, mode='w|', ${more}) as tar:
    for name in sorted(os.listdir('.')): tar.add(name)`,
  )

const inTree = (name: string): string => join(directory, 'tree', name)
const byPath = (entries: Unpacked[]): Map<string, Unpacked> =>
  new Map(entries.map((entry) => [Buffer.from(entry.path).toString('latin1'), entry]))

/** As the file system has it. */
function expectAsOnDisk(entries: Unpacked[], unit: bigint): void {
  for (const entry of entries) {
    const path = Buffer.concat([Buffer.from(`${directory}/tree/`), entry.path])
    const info = lstatSync(path, { bigint: true })
    expect(entry).toMatchObject({
      mode: Number(info.mode) & 0o7777,
      uid: Number(info.uid),
      gid: Number(info.gid),
      mtimeNs: (info.mtimeNs / unit) * unit,
    })
    if (entry.type === 'file') {
      expect(entry.size).toBe(Number(info.size))
      expect(entry.bytes?.equals(readFileSync(path))).toBe(true)
    } else if (entry.type === 'symlink') {
      expect(Buffer.from(entry.target).equals(readlinkSync(path, { encoding: 'buffer' }))).toBe(true)
    } else if (entry.type === 'hardlink') {
      expect(lstatSync(Buffer.concat([Buffer.from(`${directory}/tree/`), entry.linkTo])).ino).toBe(
        Number(info.ino),
      )
    } else if (entry.type === 'directory') expect(info.isDirectory()).toBe(true)
    else expect(info.isFIFO()).toBe(true)
  }
}

/** What even Seventh Edition Unix can store. */
function plantPlain(): number {
  mkdirSync(inTree('d'), { mode: 0o750 })
  mkdirSync(inTree('empty'))
  for (const size of [0, 1, 511, 512, 513, 100_000])
    writeFileSync(inTree(`d/f${size}`), Buffer.alloc(size, 'xyz'))
  writeFileSync(inTree(`d/${'n'.repeat(90)}`), 'name', { mode: 0o4711 })
  symlinkSync('d/f1', inTree('s'))
  linkSync(inTree('d/f513'), inTree('h'))
  utimesSync(inTree('d/f1'), 12.5, 12.5)
  lutimesSync(inTree('s'), 1_000_000_000, 1_000_000_000)
  return 11
}

/** What it takes GNU's or pax's format for. */
function plantOdd(): number {
  const planted = plantPlain()
  const deep = join('deep', 'a'.repeat(200), 'b'.repeat(200))
  mkdirSync(inTree(deep), { recursive: true })
  writeFileSync(inTree(`${deep}/${'c'.repeat(250)}`), 'deep')
  writeFileSync(
    Buffer.concat([Buffer.from(`${directory}/tree/`), Buffer.from([0x72, 0xff, 0xe9, 0x0a])]),
    'raw',
  )
  symlinkSync('t'.repeat(500), inTree('long-link'))
  execFileSync('mkfifo', [inTree('fifo')])
  return planted + 7
}

test.for([
  ['GNU tar', 'v7', ['tar', '-cf', '-', '--format=v7', 'd', 'empty', 's', 'h'], 1_000_000_000n],
  ['GNU tar', 'ustar', ['tar', '-cf', '-', '--format=ustar', 'd', 'empty', 's', 'h'], 1_000_000_000n],
  ['bsdtar', 'v7', ['bsdtar', '-cf', '-', '--format=v7', 'd', 'empty', 's', 'h'], 1_000_000_000n],
  ['bsdtar', 'ustar', ['bsdtar', '-cf', '-', '--format=ustar', 'd', 'empty', 's', 'h'], 1_000_000_000n],
] as const)('what %s stores as %s comes back as it was on disk', async ([, , command, unit]) => {
  const planted = plantPlain()
  const [program, ...args] = command
  const found = await unpack(run(program, ...args))
  expect(found).toHaveLength(planted)
  expectAsOnDisk(found, unit)
})

test.for([
  ['GNU tar', 'gnu', ['tar', '-cf', '-', '--format=gnu', '.'], 1_000_000_000n],
  ['GNU tar', 'oldgnu', ['tar', '-cf', '-', '--format=oldgnu', '.'], 1_000_000_000n],
  ['GNU tar', 'pax', ['tar', '-cf', '-', '--format=pax', '.'], 1n],
  ['bsdtar', 'pax', ['bsdtar', '-cf', '-', '--format=pax', '.'], 1n],
  ['bsdtar', 'gnutar', ['bsdtar', '-cf', '-', '--format=gnutar', '.'], 1_000_000_000n],
] as const)(
  'what %s stores as %s, long and raw names and all, comes back as on disk',
  async ([, , command, unit]) => {
    const planted = plantOdd()
    const [program, ...args] = command
    const found = await unpack(run(program, ...args))
    expect(found).toHaveLength(planted)
    expect(byPath(found).has('r\xff\xe9\n')).toBe(true)
    expectAsOnDisk(found, unit)
  },
)

test.for([
  ['USTAR', plantPlain],
  ['GNU', plantOdd],
] as const)("what Python's tarfile stores as %s comes back as on disk", async ([format, plant]) => {
  const planted = plant()
  const found = await unpack(python(`format=tarfile.${format}_FORMAT`))
  expect(found).toHaveLength(planted)
  expectAsOnDisk(found, 1_000_000_000n)
})

test('global pax headers hold for every entry, until its own header says otherwise', async () => {
  writeFileSync(inTree('a'), 'a')
  writeFileSync(inTree(`ü${'b'.repeat(120)}`), 'b')
  const [a, b] = await unpack(
    python(
      "format=tarfile.PAX_FORMAT, pax_headers={'comment': 'no file', 'gname': 'everyone', 'mtime': '7.000000001'}",
    ),
  )
  expect(a).toMatchObject({ group: 'everyone' })
  expect(b).toMatchObject({ group: 'everyone', bytes: Buffer.from('b') })
  for (const entry of [a, b]) expect(entry?.mtimeNs).toBeGreaterThan(1_000_000_000_000_000_000n)
  expect(Buffer.from(b?.path ?? []).toString()).toBe(`ü${'b'.repeat(120)}`)
})

test('owners and times that octal digits can not hold are read as GNU and pax write them', async () => {
  writeFileSync(inTree('f'), '')
  utimesSync(inTree('f'), new Date(-5000), new Date(-5000))
  const owner = ['--owner=big-user:3000000000', '--group=big-group:2999999999']
  for (const format of ['gnu', 'pax'])
    expect(await unpack(run('tar', '-cf', '-', `--format=${format}`, ...owner, 'f'))).toMatchObject([
      {
        uid: 3_000_000_000,
        gid: 2_999_999_999,
        user: 'big-user',
        group: 'big-group',
        mtimeNs: -5_000_000_000n,
      },
    ])
})

test('devices keep their numbers', async () => {
  const zero = lstatSync('/dev/zero')
  for (const format of ['ustar', 'gnu', 'pax'])
    expect(await unpack(run('tar', '-cf', '-', `--format=${format}`, '-C', '/dev', 'zero'))).toMatchObject([
      { type: 'character-device', major: zero.rdev >> 8, minor: zero.rdev & 0xff },
    ])
})

test.for([
  ['GNU tar, old format', ['tar', '-S', '--format=gnu']],
  ['GNU tar, pax 0.0', ['tar', '-S', '--format=pax', '--sparse-version=0.0']],
  ['GNU tar, pax 0.1', ['tar', '-S', '--format=pax', '--sparse-version=0.1']],
  ['GNU tar, pax 1.0', ['tar', '-S', '--format=pax', '--sparse-version=1.0']],
  ['bsdtar', ['bsdtar', '--format=pax']],
] as const)('a file with holes comes back with its zeros: %s', async ([, command]) => {
  for (const [name, stretches, length] of [
    ['one', 1, 10_000_000],
    ['many', 60, 9_000_001],
    ['none', 0, 5_000_000],
  ] as const) {
    const file = openSync(inTree(name), 'w')
    for (let i = 0; i < stretches; i++) writeSync(file, `data ${i}`, 131_072 * (i + 1) + 17)
    ftruncateSync(file, length)
    closeSync(file)
  }
  writeFileSync(inTree('plain'), 'without')
  const [program, ...args] = command
  const tar = run(program, ...args, '-cf', '-', 'one', 'many', 'none', 'plain')
  expect(tar.length).toBeLessThan(1_000_000)
  const found = await unpack(tar)
  expect(found).toMatchObject([{ sparse: true }, { sparse: true }, { sparse: true }, {}])
  expect(found.map(({ path }) => Buffer.from(path).toString())).toEqual(['one', 'many', 'none', 'plain'])
  for (const { path, bytes } of found)
    expect(bytes?.equals(readFileSync(inTree(Buffer.from(path).toString())))).toBe(true)
})

test('tar-stream, another writer, is understood', async () => {
  const writer = pack()
  const name = `ünicode/${'x'.repeat(150)}`
  writer.entry({ name, pax: { path: name }, mtime: new Date(5000) }, 'content')
  writer.finalize()
  expect(await unpack(await buffer(writer))).toMatchObject([
    { path: Buffer.from(name), mtimeNs: 5_000_000_000n, bytes: Buffer.from('content') },
  ])
})

test('the same path, spelled as tar programs spell it, is the same entry', async () => {
  mkdirSync(inTree('d'))
  writeFileSync(inTree('d/f'), 'x')
  const tar = run('tar', '-cf', '-', '--no-recursion', '.', './d', 'd//', 'd//f', './d/./f')
  expect((await unpack(tar)).map(({ type, path }) => [type, Buffer.from(path).toString()])).toEqual([
    ['directory', 'd'],
    ['directory', 'd'],
    ['file', 'd/f'],
    ['hardlink', 'd/f'],
  ])
})

test('an incremental archive of GNU tar gives its directories and files, a label no entry', async () => {
  mkdirSync(inTree('d'))
  writeFileSync(inTree('d/f'), 'x')
  const tar = run('tar', '-cf', '-', '-V', 'a label', `--listed-incremental=${join(directory, 'state')}`, 'd')
  expect((await unpack(tar)).map(({ type }) => type)).toEqual(['directory', 'file'])
})
