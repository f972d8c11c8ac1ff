import { expect, test } from 'vitest'
import { outcomeOf } from '../test-support/outcome.ts'
import { decodeManifestNode } from './decode-manifest-node.ts'
import { LeafWriter } from './encode-manifest-node.ts'

test('paths that repeat each other are refused before they take more memory than a leaf can', () => {
  // Each entry is the whole path before it, and a byte.
  const writer = new LeafWriter()
  const first = Buffer.alloc(1024 * 1024, 'a')
  for (let i = 0; i < 70; i++) {
    const path = Buffer.concat([first, Buffer.alloc(i, 'b')])
    writer.add({ type: 'fifo', path, mode: 0, uid: 0, gid: 0, user: '', group: '', mtimeNs: 0n })
  }
  expect(writer.bytes).toBeLessThan(2 * 1024 * 1024)
  expect(outcomeOf(() => decodeManifestNode(writer.take()))).toBe('corrupt')
})

test('a path that is wrong is named by its beginning', () => {
  const writer = new LeafWriter()
  const path = Buffer.from(`${'a/'.repeat(5000)}/b`)
  writer.add({ type: 'fifo', path, mode: 0, uid: 0, gid: 0, user: '', group: '', mtimeNs: 0n })
  let message = ''
  try {
    decodeManifestNode(writer.take())
  } catch (error) {
    message = String(error)
  }
  expect(message).toMatch(/^VaultError: a manifest has the path "a\/a.{200,300}" …, which can't be$/)
})
