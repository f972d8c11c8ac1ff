import { expect, test } from 'vitest'
import { ByteCache } from './byte-cache.ts'

const of = (bytes: number) => new Uint8Array(bytes)

test('what was used last stays, up to the bytes that it may hold', () => {
  const cache = new ByteCache(100)
  cache.set('a', of(40))
  cache.set('b', of(40))
  expect(cache.get('a')).toBeDefined()
  cache.set('c', of(40))
  expect(['a', 'b', 'c'].filter((key) => cache.get(key))).toEqual(['a', 'c'])
})

test('setting a key again counts it once', () => {
  const cache = new ByteCache(100)
  for (let i = 0; i < 10; i++) cache.set('a', of(60))
  cache.set('b', of(40))
  expect(['a', 'b'].filter((key) => cache.get(key))).toEqual(['a', 'b'])
})

test('what is larger than the cache is kept alone, and goes with the next', () => {
  const cache = new ByteCache(100)
  cache.set('a', of(10))
  cache.set('huge', of(1000))
  expect([cache.get('a'), cache.get('huge')?.length]).toEqual([undefined, 1000])
  cache.set('b', of(10))
  expect([cache.get('huge'), cache.get('b')?.length]).toEqual([undefined, 10])
})

test('what was deleted makes room', () => {
  const cache = new ByteCache(100)
  cache.set('a', of(90))
  cache.delete('a')
  cache.delete('never there')
  cache.set('b', of(50))
  cache.set('c', of(50))
  expect(['a', 'b', 'c'].filter((key) => cache.get(key))).toEqual(['b', 'c'])
})
