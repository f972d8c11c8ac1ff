import assert from 'node:assert/strict'
import { attributesFlaw } from '../attribute.ts'
import type { Entry } from '../entry.ts'

const NUL = 0

/** @throws AssertionError when this is no path of an entry */
export function assertPath(path: Uint8Array): void {
  const shown = shownPath(path)
  assert.ok(path.length > 0, 'a path is empty')
  assert.ok(!path.includes(NUL), `${shown} has a NUL`)
  for (const component of pathKey(path).split('/')) {
    assert.ok(!['', '.', '..'].includes(component), `${shown} has the component "${component}"`)
  }
}

/** @throws AssertionError when a field is not of the form that `Entry` gives it */
export function assertMetadata(entry: Entry): void {
  const { mode, uid, gid, user, group, attributes = [] } = entry
  const where = `of ${shownPath(entry.path)}`
  assert.ok(isCount(mode) && mode <= 0o7777, `mode ${where} is ${mode}`)
  assert.ok(isCount(uid) && isCount(gid), `owner ${where} is ${uid}:${gid}`)
  assert.doesNotMatch(`${user}${group}`, /[\0\n:]/, `names of the owner ${where}`)
  assert.equal(typeof entry.mtimeNs, 'bigint', `mtimeNs ${where}`)
  assert.equal(attributesFlaw(attributes), undefined, `extended attributes ${where}`)
  switch (entry.type) {
    case 'file': {
      const { size = 0, identity } = entry
      assert.ok(isCount(size), `size ${where} is ${size}`)
      assert.ok(!entry.unsteady, `a file that was not read yet is unsteady: that ${where}`)
      if (identity === undefined) return
      assert.equal(typeof identity.ctimeNs, 'bigint', `ctimeNs ${where}`)
      assert.equal(typeof identity.inode, 'bigint', `inode ${where}`)
      return
    }
    case 'symlink':
      assert.ok(entry.target.length > 0, `target ${where} is empty`)
      assert.ok(!entry.target.includes(NUL), `target ${where} has a NUL`)
      return
    case 'character-device':
    case 'block-device':
      assert.ok(isCount(entry.major) && isCount(entry.minor), `device numbers ${where}`)
      return
    case 'hardlink':
      assertPath(entry.linkTo)
      return
    case 'directory':
    case 'fifo':
      return
  }
}

/** As a key of maps: one character for each byte. */
export function pathKey(path: Uint8Array): string {
  return Buffer.from(path).toString('latin1')
}

export function shownPath(path: Uint8Array): string {
  return JSON.stringify(Buffer.from(path).toString())
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}
