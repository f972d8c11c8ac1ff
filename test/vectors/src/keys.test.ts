import { createHash } from 'node:crypto'
import { createGear } from '@pipe-backup/chunker'
import {
  chunkId,
  deriveKeys,
  deriveSubkey,
  masterFromPhrase,
  phraseFromMaster,
  vaultIdOf,
} from '@pipe-backup/crypto'
import { expect, test } from 'vitest'
import { keyVectors } from './expected.ts'

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

test.for(keyVectors())(
  'every key and id of the phrase of $about is the one that was published',
  async (vector) => {
    const master = masterFromPhrase(vector.phrase)
    const keys = await deriveKeys(master)
    const nodeIdKey = await deriveSubkey(keys.idKey, 1, 'pbnodeid')
    const gearKey = await deriveSubkey(keys.idKey, 2, 'pbgear01')
    const gear = Buffer.alloc(1024)
    for (const [i, word] of createGear(gearKey).entries()) gear.writeUInt32LE(word, i * 4)
    expect({
      about: vector.about,
      phrase: phraseFromMaster(master),
      master: hex(master),
      vaultId: vaultIdOf(keys.publicKey),
      publicKey: hex(keys.publicKey),
      secretKey: hex(keys.secretKey),
      rootKey: hex(keys.rootKey),
      idKey: hex(keys.idKey),
      indexKey: hex(keys.indexKey),
      nodeIdKey: hex(nodeIdKey),
      gearKey: hex(gearKey),
      pathKey: hex(await deriveSubkey(keys.idKey, 3, 'pbpathid')),
      gearTableSha256: createHash('sha256').update(gear).digest('hex'),
      chunkIds: vector.chunkIds.map(({ plain }) => ({
        plain,
        data: hex(chunkId(keys.idKey, Buffer.from(plain))),
        node: hex(chunkId(nodeIdKey, Buffer.from(plain))),
      })),
    }).toEqual(vector)
  },
)
