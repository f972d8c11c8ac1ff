// Writes the vaults of test/vectors that begin with "engine", as `pipe-backup run` would:
//   node --conditions=pipe-backup-src test/vectors/src/write-engine.ts DIRECTORY
// See README.md: the vaults are frozen, and this is not run in tests.
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deriveKeys, masterFromPhrase, phraseFromMaster, vaultIdOf } from '@pipe-backup/crypto'
import { localSink } from '@pipe-backup/sink-local'
import type { Source } from '@pipe-backup/source'
import {
  addGrant,
  backup,
  createVaultHost,
  initVault,
  listSnapshots,
  type MarkChange,
  markSnapshot,
  type VaultHost,
} from '@pipe-backup/vault'
import { type Described, describedSource, expectedOf, file, other } from './described-source.ts'

interface Run {
  readonly host: VaultHost
  readonly hostName: string
  readonly time: string
  readonly sources: Readonly<Record<string, readonly Described[]>>
  readonly tags?: readonly string[]
  /** What its host then says of snapshots, by the numbers of their runs. */
  readonly marks?: readonly (readonly [run: number, change: MarkChange])[]
}

/** A vault on a local sink, with the snapshots of these runs. */
async function writeVault(
  directory: string,
  about: string,
  runsOf: (newHost: (recipients?: readonly Uint8Array[]) => VaultHost) => readonly Run[],
  more: { readonly partner?: string; readonly recipient?: object; readonly marks?: object } = {},
): Promise<void> {
  const master = createHash('sha256').update(`pipe-backup engine vector: ${about}`).digest()
  const keys = await deriveKeys(Uint8Array.from(master))
  const path = join(directory, 'sink')
  mkdirSync(path, { recursive: true })
  const sink = localSink({ name: 'vector', path })
  await initVault({ sinks: [sink], publicKey: keys.publicKey })
  const runs = runsOf((recipients = []) => ({ ...createVaultHost(keys), recipients }))
  const states = new Map<VaultHost, string>()
  const snapshots: object[] = []
  for (const { host, hostName, time, sources, tags, marks = [] } of runs) {
    const stateDirectory = states.get(host) ?? mkdtempSync(join(tmpdir(), 'pipe-backup-vector-'))
    states.set(host, stateDirectory)
    const read: Source[] = Object.entries(sources).map(([name, entries]) => describedSource(name, entries))
    const { snapshot: id } = await backup({
      host,
      hostName,
      program: 'pipe-backup 0.1.0',
      sources: read,
      sinks: [sink],
      copies: 1,
      tags,
      stateDirectory,
      now: () => new Date(time),
    })
    const listed = await listSnapshots({ sinks: [sink], keys })
    for (const [run, change] of marks) {
      const snapshot = listed[run]
      if (snapshot) await markSnapshot({ host, sinks: [sink], snapshot, change })
    }
    snapshots.push({
      id,
      time,
      host: hostName,
      sources: Object.entries(sources).map(([name, entries]) => ({
        name,
        state: 'ok',
        entries: expectedOf(entries),
      })),
    })
  }
  if (more.partner !== undefined) {
    const { publicKey } = await deriveKeys(masterFromPhrase(more.partner))
    const vaultId = vaultIdOf(keys.publicKey)
    await addGrant({ sinks: [sink], vaultId, master: Uint8Array.from(master), recipient: publicKey })
  }
  for (const stateDirectory of states.values()) rmSync(stateDirectory, { recursive: true })
  rmSync(join(path, '.tmp'), { recursive: true, force: true })
  if ((await listSnapshots({ sinks: [sink], keys })).length !== runs.length)
    throw new Error('snapshots are missing')
  const expected = { about, phrase: phraseFromMaster(Uint8Array.from(master)), ...more, snapshots }
  writeFileSync(join(directory, 'expected.json'), `${JSON.stringify(expected, undefined, 1)}\n`)
}

const TIME = '2026-11-23T10:00:00.000Z'
const LATER = '2026-11-23T11:00:00.000Z'
const odd: Described[] = [
  other('directory', 'd', {
    mode: 0o1777,
    mtimeNs: '-1000000000000000001',
    attributes: { 'user.of a directory': 'value' },
  }),
  file('attributes', 'with three', {
    attributes: { 'user.bytes': '\0\xff\n=%', 'user.empty': '', 'user.\xc3\xa9': 'x'.repeat(1000) },
  }),
  file('d/\xe9\xff not UTF-8', 'raw bytes'),
  file('d.x', 'sorts between d and d/, if one looks at bytes alone'),
  file('d/new\nline "quoted" \\ \xc3\xa9', 'odd name'),
  file('empty', ''),
  file('first', 'a file with two names', { mode: 0o4755, uid: 0, gid: 0, user: '', group: '' }),
  file('sparse', Buffer.concat([Buffer.from('start'), Buffer.alloc(3_000_000)]), { sparse: true }),
  file('before 1970', 'old', { mtimeNs: '-1' }),
  other('hardlink', 'second', { target: 'first', mode: 0o4755 }),
  other('symlink', 'link', { mode: 0o777, target: 'no/such\xffplace' }),
  other('fifo', 'pipe'),
  other('character-device', 'null', { mode: 0o666, major: 1, minor: 3 }),
  other('block-device', 'loop', { mode: 0o660, major: 7, minor: 300 }),
  file(`${'n'.repeat(200)}/${'m'.repeat(200)}/bottom`, 'no entry for the directories above'),
]

/** Compresses to a few kilobytes, and is of several chunks: no chunk has more than 4 MiB. */
const long = Buffer.concat(
  ['one', 'two', 'three'].map((word) =>
    Buffer.alloc(word === 'three' ? 1_500_001 : 4_194_304, `${word} after the other `),
  ),
)
const small = Array.from({ length: 60 }, (_, i) =>
  file(`f${String(i).padStart(2, '0')}`, `small file ${i} `.repeat(i)),
)

const to = process.argv[2]
if (to === undefined) throw new Error('usage: write-engine.ts DIRECTORY')
await writeVault(join(to, 'engine-empty'), 'A source without entries.', (host) => [
  { host: host(), hostName: 'alone', time: TIME, sources: { nothing: [] } },
])
await writeVault(
  join(to, 'engine-odd'),
  'Every type of entry, odd names and times, and two sources.',
  (host) => [
    {
      host: host(),
      hostName: 'alone',
      time: TIME,
      sources: { tree: odd, 'source é': [file('hello', 'hello\n')] },
    },
  ],
)
await writeVault(
  join(to, 'engine-chunks'),
  'A file of several chunks, twice, beside a small one.',
  (host) => [
    {
      host: host(),
      hostName: 'alone',
      time: TIME,
      sources: { tree: [file('a', long), file('b', 'b'), file('c', long)] },
    },
  ],
)
await writeVault(
  join(to, 'engine-bundles'),
  'Two snapshots: small files in a bundle; then one changed, one gone, one new, and the rest where they were.',
  (newHost) => {
    const host = newHost()
    const changed = small
      .filter(({ path }) => path !== 'f20')
      .map((entry) =>
        entry.path === 'f10' ? file('f10', 'changed', { mtimeNs: '1700000001000000000' }) : entry,
      )
    return [
      { host, hostName: 'alone', time: TIME, sources: { tree: small } },
      { host, hostName: 'alone', time: LATER, sources: { tree: [...changed, file('new', 'new')] } },
    ]
  },
)
const recipient = await deriveKeys(
  Uint8Array.from(createHash('sha256').update('pipe-backup recipient').digest()),
)
await writeVault(
  join(to, 'engine-hosts'),
  'Two hosts in one vault; the runs of the second are sealed to an extra recipient too.',
  (host) => [
    { host: host(), hostName: 'first', time: TIME, sources: { tree: [file('a', 'of the first')] } },
    {
      host: host([recipient.publicKey]),
      hostName: 'second',
      time: LATER,
      sources: { tree: [file('a', 'of the second')] },
    },
  ],
  {
    recipient: {
      opens: ['second'],
      publicKey: Buffer.from(recipient.publicKey).toString('hex'),
      secretKey: Buffer.from(recipient.secretKey).toString('hex'),
    },
  },
)
await writeVault(
  join(to, 'engine-grant'),
  'A vault that was granted to a partner, whose phrase is another.',
  (host) => [{ host: host(), hostName: 'alone', time: TIME, sources: { tree: [file('a', 'of two')] } }],
  {
    partner: phraseFromMaster(Uint8Array.from(createHash('sha256').update('pipe-backup partner').digest())),
  },
)
await writeVault(
  join(to, 'engine-marks'),
  "Two hosts have pinned and tagged each other's snapshots, and taken some of it back.",
  (newHost) => {
    const [first, second] = [newHost(), newHost()]
    const run = (host: VaultHost, hostName: string, time: string) => ({
      host,
      hostName,
      time,
      sources: { tree: [file('a', `of the ${hostName}`)] },
    })
    return [
      { ...run(first, 'first', TIME), tags: ['nightly'], marks: [[0, { pinned: true, addTags: ['t'] }]] },
      {
        ...run(second, 'second', LATER),
        marks: [
          [0, { addTags: ['of the second'] }],
          [0, { pinned: false }],
          [1, { pinned: true }],
        ],
      },
    ]
  },
  {
    marks: [
      { pinned: false, tags: ['nightly', 'of the second', 't'] },
      { pinned: true, tags: [] },
    ],
  },
)
