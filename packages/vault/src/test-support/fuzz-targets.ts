import { createHash } from 'node:crypto'
import { zstdCompressSync } from 'node:zlib'
import { SIGNATURE_BYTES, sealAead, signContent, signDetached } from '@pipe-backup/crypto'
import { readAttributes } from '../format/attribute-codec.ts'
import { CHUNK_OVERHEAD_BYTES, unsealChunk } from '../format/chunk-codec.ts'
import { decodeIndex, encodeIndex, openIndex } from '../format/index-object.ts'
import { openMark, sealMark } from '../format/mark-object.ts'
import {
  decodeFooterContent,
  decodePackEnd,
  decodePackHeader,
  encodeFooterContent,
  encodePackHeader,
  openFooter,
} from '../format/pack-format.ts'
import { encodeRevocation, openRevocation, revocationKey } from '../format/revocation.ts'
import { openObject, sealObject } from '../format/sealed-object.ts'
import { openSnapshotHead, sealSnapshot } from '../format/snapshot-object.ts'
import { openTrash } from '../format/trash-object.ts'
import { decodeHostKey, encodeHostKey } from '../format/vault-host.ts'
import { checkGrant, grantKey } from '../store/grant.ts'
import { openSession } from '../store/session.ts'
import { decodeVaultHeader, encodeVaultHeader } from '../store/vault-header.ts'
import { manifestTargets } from './fuzz-manifests.ts'
import { stateTargets } from './fuzz-state.ts'
import { HOST, KEYS } from './test-host.ts'

const SNAPSHOT = 'snapshots/20261123t100000z-0123456789abcdef'
const MARK = `marks/20261123t100000z-0123456789abcdef-${HOST.hostId}-0123456789abcdef`
const HASH = 'ab'.repeat(32)
const FOOTER = {
  hostId: Buffer.from(HOST.hostId, 'hex'),
  chunks: [0, 1, 2].map((n) => ({
    kind: n as 0 | 1 | 2,
    runKey: 0,
    offset: 100 + n * 50,
    length: 50,
    rawLength: 9,
    id: Buffer.alloc(32, n),
  })),
}
const HEADER = encodePackHeader([{ id: Buffer.alloc(16, 1), boxes: [Buffer.alloc(80, 2)] }])
const FOOTER_LABEL = `pipe-backup footer 1\n${createHash('sha256').update(HEADER).digest('hex')}`
const GRANT = Buffer.concat([Buffer.from('PBGRANT\u0001'), Buffer.alloc(80, 3)])
const GRANT_LABEL = Buffer.from(`pipe-backup grant 1\n${grantKey(KEYS.publicKey)}\n`)
const REVOCATION = { hostId: HOST.hostId, time: new Date(0), believed: new Set([HASH, 'cd'.repeat(32)]) }
const REVOKED = revocationKey(HOST.hostId)
const HEAD = {
  version: 1,
  id: '0123456789abcdef',
  time: '2026-11-23T10:00:00.000Z',
  host: 'h',
  hostId: HOST.hostId,
  program: 'p',
  sources: [
    {
      name: 'a',
      state: 'ok',
      root: HASH,
      entries: 1,
      bytes: 2,
      problems: 0,
      takenAt: '2026-11-23T10:00:00Z',
    },
    { name: 'b', state: 'failed', entries: 0, bytes: 0, problems: 0, error: 'e' },
  ],
  packs: [[HASH, 'Bw==']],
} as const
const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))

/** The bytes, sealed as those of an object: what is behind the authentication is decoded. */
function sealed(key: string, bytes: Uint8Array): Buffer {
  const out = Buffer.alloc(bytes.length + 40)
  sealAead(HOST.keys.indexKey, bytes, Buffer.from(key), out, 0)
  return Buffer.concat([Buffer.from('PBOBJ\0\0\u0001', 'latin1'), out])
}

function signed(label: string, content: Uint8Array): Buffer {
  return Buffer.concat([signContent(HOST.signer, label, content), content])
}

/** @throws Error when a decoder takes bytes that its encoder would not have written */
function same(bytes: Uint8Array, again: Uint8Array): void {
  if (Buffer.compare(bytes, again) !== 0) throw new Error('it is encoded to other bytes than were decoded')
}

/** What test/fuzz feeds. */
export const fuzzTargets: readonly {
  readonly name: string
  readonly seeds: readonly Uint8Array[]
  readonly decode: (bytes: Uint8Array) => unknown
}[] = [
  {
    name: 'vault-header',
    seeds: [encodeVaultHeader(KEYS.publicKey)],
    decode: (bytes) => decodeVaultHeader(bytes, 's'),
  },
  {
    name: 'pack-header',
    seeds: [HEADER],
    decode: (bytes) => {
      const { runKeys, length } = decodePackHeader(bytes)
      same(bytes.subarray(0, length), encodePackHeader(runKeys))
    },
  },
  {
    name: 'pack-end',
    seeds: [Buffer.from('000001005042454e44000001', 'hex')],
    decode: (bytes) => decodePackEnd(bytes, 1 << 20),
  },
  {
    name: 'pack-footer',
    seeds: [encodeFooterContent(FOOTER)].map((bytes) => Buffer.from(bytes)),
    decode: (bytes) => same(bytes, encodeFooterContent(decodeFooterContent(bytes))),
  },
  {
    name: 'pack-footer-signed',
    seeds: [signed(FOOTER_LABEL, Buffer.from(encodeFooterContent(FOOTER)))],
    decode: (bytes) => {
      const out = Buffer.alloc(bytes.length + 40)
      sealAead(HOST.keys.indexKey, bytes, Buffer.concat([Buffer.from('PBFOOTER'), HEADER]), out, 0)
      openFooter(HOST.keys, HASH, HEADER, out)
    },
  },
  {
    name: 'object-sealed',
    seeds: [sealObject(HOST, SNAPSHOT, json({}))],
    decode: (bytes) => openObject(HOST.keys, SNAPSHOT, bytes),
  },
  {
    name: 'object-signed',
    seeds: [signed(`pipe-backup object 1\n${SNAPSHOT}`, zstdCompressSync(json({})))],
    decode: (bytes) => openObject(HOST.keys, SNAPSHOT, sealed(SNAPSHOT, bytes)),
  },
  {
    name: 'object-compressed',
    seeds: [zstdCompressSync(json(HEAD))],
    decode: (bytes) =>
      openObject(HOST.keys, SNAPSHOT, sealed(SNAPSHOT, signed(`pipe-backup object 1\n${SNAPSHOT}`, bytes))),
  },
  {
    name: 'index',
    seeds: [encodeIndex([{ name: HASH, sizeBytes: 1000, footer: Buffer.from(encodeFooterContent(FOOTER)) }])],
    decode: (bytes) => {
      same(bytes, encodeIndex(decodeIndex(bytes)))
      for (const { footer } of openIndex(HOST.keys, 'index/1', sealObject(HOST, 'index/1', bytes)))
        decodeFooterContent(footer)
    },
  },
  {
    name: 'snapshot-head',
    seeds: [json(HEAD)],
    decode: (bytes) => {
      const head = openSnapshotHead(HOST.keys, SNAPSHOT, sealObject(HOST, SNAPSHOT, bytes))
      openSnapshotHead(HOST.keys, SNAPSHOT, sealSnapshot(HOST, SNAPSHOT, head))
    },
  },
  {
    name: 'mark',
    seeds: [json({ version: 1, pinned: true, tags: ['a tag'], replaces: [HEAD.id] })],
    decode: (bytes) => {
      const { author, ...mark } = openMark(HOST.keys, MARK, sealObject(HOST, MARK, bytes))
      same(Buffer.from(author.hostId), Buffer.from(HOST.hostId))
      openMark(HOST.keys, MARK, sealMark(HOST, MARK, mark))
    },
  },
  {
    name: 'trash',
    seeds: [json({ version: 1, time: HEAD.time, packs: [HASH], snapshots: [HEAD.id], sessions: [HEAD.id] })],
    decode: (bytes) => openTrash(HOST.keys, 'trash/1', sealObject(HOST, 'trash/1', bytes)),
  },
  {
    name: 'session',
    seeds: [json({ version: 1, host: 'h', hostId: HOST.hostId, started: HEAD.time, kind: 'prune' })],
    decode: (bytes) => openSession(HOST.keys, 'sessions/1', sealObject(HOST, 'sessions/1', bytes)),
  },
  {
    name: 'grant',
    seeds: [Buffer.concat([GRANT, signDetached(KEYS.rootSeed, Buffer.concat([GRANT_LABEL, GRANT]))])],
    decode: (bytes) => checkGrant(HOST.keys, grantKey(KEYS.publicKey), bytes),
  },
  {
    name: 'revocation',
    seeds: [encodeRevocation(KEYS, REVOCATION)],
    decode: (bytes) => openRevocation(KEYS, REVOKED, bytes),
  },
  {
    name: 'revocation-signed',
    seeds: [encodeRevocation(KEYS, REVOCATION).subarray(0, -SIGNATURE_BYTES)],
    decode: (bytes) => {
      const label = Buffer.from(`pipe-backup revocation 1\n${REVOKED}\n`)
      const digest = createHash('sha256').update(bytes).digest()
      const signature = signDetached(KEYS.rootSeed, Buffer.concat([label, digest]))
      openRevocation(KEYS, REVOKED, Buffer.concat([bytes, signature]))
    },
  },
  {
    name: 'host-key',
    seeds: [Buffer.from(encodeHostKey({ ...HOST, recipients: [KEYS.publicKey] }))],
    decode: (bytes) => {
      const text = encodeHostKey(decodeHostKey(Buffer.from(bytes).toString()))
      same(Buffer.from(text), Buffer.from(encodeHostKey(decodeHostKey(text))))
    },
  },
  {
    name: 'chunk',
    seeds: [Buffer.from('\0plain'), Buffer.concat([Buffer.of(1), zstdCompressSync(Buffer.from('plain'))])],
    decode: (bytes) => {
      const id = Buffer.alloc(32)
      const out = Buffer.alloc(bytes.length + CHUNK_OVERHEAD_BYTES)
      const length = sealAead(id, bytes, Buffer.concat([Buffer.from('PBCHUNK\u0001\0'), id]), out, 0)
      unsealChunk(id, 0, id, out.subarray(0, length), 5)
    },
  },
  {
    name: 'attributes',
    seeds: [Buffer.from('\u0002\u0006user.a\u0001x\u0006user.b\0')],
    decode: (bytes) => readAttributes(bytes),
  },
  ...manifestTargets,
  ...stateTargets,
]
