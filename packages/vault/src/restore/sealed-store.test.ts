import { expect, test } from 'vitest'
import { SealedStore } from './sealed-store.ts'

const bytes = (length: number) => async () => new Uint8Array(length)

test('what was used last and what is needed stays, up to so many bytes with what is on its way', async () => {
  const store = new SealedStore(100)
  for (const key of ['a', 'b', 'c']) await store.fetch(key, 30, bytes(30))
  store.get('a')
  expect(store.makeRoom(30, (key) => key === 'b')).toBe(true)
  expect(['a', 'b', 'c'].map((key) => store.get(key)?.length)).toEqual([30, 30, undefined])
  void store.fetch('d', 40, bytes(40))
  expect(store.makeRoom(30, () => true)).toBe(false)
  expect(store.makeRoom(60, () => false)).toBe(true)
  expect(store.makeRoom(61, () => false)).toBe(false)
  await store.coming('d')
  expect(store.get('d')?.length).toBe(40)
})

test('what is larger than all there may be has room where nothing else is', async () => {
  const store = new SealedStore(100)
  expect(store.makeRoom(200, () => true)).toBe(true)
  await store.fetch('a', 200, bytes(200))
  expect(store.makeRoom(1, () => true)).toBe(false)
  expect(store.makeRoom(1, () => false)).toBe(true)
  expect(store.get('a')).toBeUndefined()
})

test('what does not come takes no room', async () => {
  const store = new SealedStore(100)
  const failed = store.fetch('a', 100, async () => {
    throw new Error('away')
  })
  await expect(failed).rejects.toThrow('away')
  await store.fetch('b', 100, async () => undefined)
  expect([store.requests, store.makeRoom(100, () => false)]).toEqual([0, true])
})
