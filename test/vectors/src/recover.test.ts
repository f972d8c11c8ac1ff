import { createHash } from 'node:crypto'
import {
  cpSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { execa, execaSync } from 'execa'
import { expect, test } from 'vitest'
import { type ExpectedEntry, type ExpectedVault, expectedVaults } from './expected.ts'

const RECOVER = resolve(import.meta.dirname, '../../recover/recover.py')
const AS_ROOT = process.geteuid?.() === 0

class Directory implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), 'pipe-backup-recover-'));

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true })
  }
}

/** Runs recover.py as a person would; never rejects for an exit code. */
async function recover({ sink, phrase }: Pick<ExpectedVault, 'sink' | 'phrase'>, ...args: string[]) {
  using directory = new Directory()
  const phraseFile = join(directory.path, 'phrase')
  writeFileSync(phraseFile, `${phrase}\n`)
  // Debian's own, which has Debian's libraries; another python3 may come first on the PATH.
  const ran = await execa('/usr/bin/python3', [RECOVER, sink, '--phrase-file', phraseFile, ...args], {
    reject: false,
  })
  return { code: ran.exitCode, out: ran.stdout, err: ran.stderr }
}

/** What was set under a path, by names; asked of Python, which takes names and paths of any bytes. */
function attributesOf(path: Buffer): object {
  const program = `import json, os, sys
path = bytes.fromhex(sys.argv[1])
print(json.dumps({os.fsencode(name).decode('latin1'): os.getxattr(path, name, follow_symlinks=False).decode('latin1') for name in os.listxattr(path, follow_symlinks=False)}))`
  return JSON.parse(execaSync('/usr/bin/python3', ['-c', program, path.toString('hex')]).stdout) as object
}

/** What was restored under a path, in the form of expected.json, as far as a file system can show. */
function describe(root: string, expected: ExpectedEntry): object {
  const path = Buffer.concat([Buffer.from(`${root}/`), Buffer.from(expected.path, 'latin1')])
  const found = lstatSync(path, { bigint: true })
  const type = found.isFile()
    ? 'file'
    : found.isDirectory()
      ? 'directory'
      : found.isSymbolicLink()
        ? 'symlink'
        : found.isFIFO()
          ? 'fifo'
          : found.isCharacterDevice()
            ? 'character-device'
            : 'block-device'
  const bytes = type === 'file' ? readFileSync(path) : undefined
  const device = type.endsWith('device')
  return {
    path: expected.path,
    type,
    mode: Number(found.mode & 0o7777n),
    mtimeNs: String(found.mtimeNs),
    ...(AS_ROOT && { uid: Number(found.uid), gid: Number(found.gid) }),
    ...(bytes && { size: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') }),
    ...(type === 'symlink' && { target: readlinkSync(path, 'latin1') }),
    ...(device && {
      major: Number((found.rdev >> 8n) & 0xfffn),
      minor: Number((found.rdev & 0xffn) | ((found.rdev >> 12n) & 0xfff00n)),
    }),
    ...(expected.attributes && { attributes: attributesOf(path) }),
    ...(expected.sparse && { holes: found.blocks * 512n < found.size }),
  }
}

/** What `describe` should find: a hard link is another name of its file, and not all metadata is a file system's. */
function wanted(entry: ExpectedEntry, entries: readonly ExpectedEntry[]): object {
  const file = entry.type === 'hardlink' ? entries.find(({ path }) => path === entry.target) : entry
  const { user: _user, group: _group, sparse, unsteady: _unsteady, uid, gid, mode, ...rest } = file ?? entry
  const kept = AS_ROOT ? { uid, gid, mode } : { mode: mode & 0o1777 }
  return { ...rest, ...kept, path: entry.path, ...(sparse && { holes: true }) }
}

/** Device nodes are made by root alone. */
function restorable(entries: readonly ExpectedEntry[]): ExpectedEntry[] {
  return entries.filter(({ type }) => AS_ROOT || !type.endsWith('device'))
}

const vaults = expectedVaults().filter(({ refused }) => refused === undefined)

test.for(vaults.filter(({ name }) => name !== 'crafted-hostile'))(
  'recover.py restores $name to the last byte',
  async (vault) => {
    using directory = new Directory()
    for (const { id, sources = [], flaw } of vault.snapshots) {
      if (flaw !== undefined) continue
      const to = join(directory.path, id)
      const { out } = await recover(vault, '--snapshot', id, '--to', to)
      const all = sources.flatMap(({ entries }) => entries)
      expect(out).toContain(`${restorable(all).length} entries of snapshot ${id}`)
      for (const { name, entries } of sources) {
        const there = restorable(entries)
        expect(there.map((entry) => describe(join(to, name), entry))).toEqual(
          there.map((entry) => wanted(entry, entries)),
        )
        for (const { path, target = '' } of there.filter(({ type }) => type === 'hardlink'))
          expect(lstatSync(join(to, name, path)).ino).toBe(lstatSync(join(to, name, target)).ino)
      }
    }
  },
)

test('recover.py restores with the phrase of a partner, too', async () => {
  const vault = vaults.find(({ partner }) => partner)
  using directory = new Directory()
  const { code, err } = await recover(
    { sink: vault?.sink ?? '', phrase: vault?.partner ?? '' },
    '--to',
    directory.path,
  )
  expect([code, err]).toEqual([0, ''])
  expect(readFileSync(join(directory.path, 'tree/a'), 'utf8')).toBe('of two')
})

test.for(vaults)('recover.py lists the snapshots of $name', async (vault) => {
  const { code, out } = await recover(vault, '--list')
  expect([code, out.split('\n').map((line) => line.split(' ')[0])]).toEqual([
    0,
    vault.snapshots.map(({ id }) => id),
  ])
})

const flawed = vaults.flatMap((vault) =>
  vault.snapshots.flatMap(({ id, flaw }) => (flaw === undefined ? [] : [{ vault, id, flaw }])),
)

test.for(flawed)('recover.py refuses $flaw, and writes nothing outside its target', async ({ vault, id }) => {
  using directory = new Directory()
  const { code, err } = await recover(vault, '--snapshot', id, '--to', join(directory.path, 'a', 'b'))
  expect([code, err]).toEqual([1, expect.stringMatching(/^recover: .*not restored/m)])
  expect(err).not.toContain('Traceback')
  const restored = readdirSync(directory.path, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  )
  expect(restored.map(({ name }) => name)).toEqual([])
})

test('recover.py refuses a vault of a version to come, another phrase, and a phrase with a slip', async () => {
  const [first, second] = vaults
  const newer = expectedVaults().find(({ refused }) => refused !== undefined)
  if (!first || !second || !newer) throw new Error('no such vaults')
  const refusal = async (vault: Pick<ExpectedVault, 'sink' | 'phrase'>) => {
    const { code, err } = await recover(vault, '--list')
    return [code, err]
  }
  expect(await refusal(newer)).toEqual([1, 'recover: the vault has version 2, this reads version 1'])
  expect(await refusal({ ...first, phrase: second.phrase })).toEqual([
    1,
    'recover: this is the phrase of another vault',
  ])
  const words = first.phrase.split(' ')
  expect(await refusal({ ...first, phrase: words.slice(1).join(' ') })).toEqual([
    1,
    expect.stringContaining('this has 23'),
  ])
  expect(await refusal({ ...first, phrase: ['zzzz', ...words.slice(1)].join(' ') })).toEqual([
    1,
    expect.stringContaining('word 1 '),
  ])
  expect(await refusal({ ...first, phrase: [...words.slice(1), words[0]].join(' ') })).toEqual([
    1,
    expect.stringMatching(/does not add up|another vault/),
  ])
})

test('recover.py names what is damaged, restores the rest, and says so by its exit code', async () => {
  const vault = vaults.find(({ name }) => name === 'engine-odd')
  const [snapshot] = vault?.snapshots ?? []
  if (!vault || !snapshot) throw new Error('no such vault')
  using directory = new Directory()
  const files = readdirSync(vault.sink, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  )
  const keys = files.map(({ parentPath, name }) => join(parentPath, name).slice(vault.sink.length + 1))
  for (const [i, key] of keys.entries()) {
    const sink = join(directory.path, `sink-${i}`)
    cpSync(vault.sink, sink, { recursive: true })
    const bytes = readFileSync(join(sink, key))
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 0x10
    writeFileSync(join(sink, key), bytes)
    const { code, err } = await recover({ ...vault, sink }, '--to', join(directory.path, `out-${i}`))
    expect(err).not.toContain('Traceback')
    // The index is not read: packs have it all.
    if (key.startsWith('index/')) expect([key, code, err]).toEqual([key, 0, ''])
    else
      expect([key, code, err]).toEqual([
        key,
        1,
        expect.stringContaining(key === 'vault.json' ? 'recover: ' : (key.split('/').at(-1) ?? key)),
      ])
  }
})
