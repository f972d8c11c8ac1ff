import { expect, test } from 'vitest'
import type { Mark, SignedMark } from '../format/mark-object.ts'
import { isHeld, MarkBook } from './mark-book.ts'

const SNAPSHOT = 'snapshots/20261123t100000z-0123456789abcdef'
const idOf = (n: number): string => n.toString(16).padStart(16, '0')
const keyOf = (n: number, hostId = 'a'): string =>
  `${SNAPSHOT.replace('snapshots', 'marks')}-${hostId.repeat(32)}-${idOf(n)}`

function markOf(mark: Partial<Mark>, hostId = 'a', role: 'write' | 'maintain' = 'write'): SignedMark {
  const author = { hostId: hostId.repeat(32), role } as SignedMark['author']
  return { pinned: false, tags: [], replaces: [], ...mark, author }
}

test('one pin of any host pins, and the tags are those of all', () => {
  const book = new MarkBook()
  book.add(keyOf(1), markOf({ tags: ['b'] }, 'a'))
  book.add(keyOf(2), markOf({ pinned: true, tags: ['a', 'b'] }, 'b'))
  expect(book.of(SNAPSHOT)).toEqual({ pinned: true, tags: ['a', 'b'], isUnclear: false })
  expect([...book.held()]).toEqual(['0123456789abcdef'])
  expect(book.of('snapshots/20261123t100000z-0000000000000000').pinned).toBe(false)
})

test.for([
  { what: 'the same host', hostId: 'a', role: 'write', pinned: false },
  { what: 'a host that maintains the vault', hostId: 'b', role: 'maintain', pinned: false },
  { what: 'another host that may write', hostId: 'b', role: 'write', pinned: true },
] as const)('a pin that a mark of $what replaces is $pinned', ({ hostId, role, pinned }) => {
  const book = new MarkBook()
  book.add(keyOf(1), markOf({ pinned: true }, 'a'))
  book.add(keyOf(2), markOf({ replaces: [idOf(1)] }, hostId, role))
  expect(book.of(SNAPSHOT).pinned).toBe(pinned)
  expect(book.replaced()).toEqual(pinned ? [] : [keyOf(1)])
})

test('the copy of a pin that a sink kept while it was away does not count where what replaced it is seen, in either order', () => {
  const pin = markOf({ pinned: true })
  const unpin = markOf({ replaces: [idOf(1)] })
  const orders = [[pin, unpin] as const, [unpin, pin] as const]
  for (const [first, second] of orders) {
    const book = new MarkBook()
    book.add(first === pin ? keyOf(1) : keyOf(2), first)
    book.add(second === pin ? keyOf(1) : keyOf(2), second)
    expect(book.of(SNAPSHOT).pinned).toBe(false)
  }
})

test('marks that two commands wrote at once count both', () => {
  const book = new MarkBook()
  book.add(keyOf(1), markOf({ pinned: true }))
  book.add(keyOf(2), markOf({ replaces: [idOf(1)] }))
  book.add(keyOf(3), markOf({ pinned: true, replaces: [idOf(1)] }))
  expect(book.of(SNAPSHOT).pinned).toBe(true)
})

test('a mark that no sink has whole may be a pin, until a host that maintains the vault replaces it', () => {
  const book = new MarkBook()
  book.add(keyOf(1, 'c'), undefined)
  expect(book.of(SNAPSHOT)).toEqual({ pinned: false, tags: [], isUnclear: true })
  expect(isHeld(book.of(SNAPSHOT))).toBe(true)
  book.add(keyOf(2), markOf({ replaces: [idOf(1)] }))
  expect(isHeld(book.of(SNAPSHOT))).toBe(true)
  book.add(keyOf(3), markOf({ replaces: [idOf(1)] }, 'b', 'maintain'))
  expect(isHeld(book.of(SNAPSHOT))).toBe(false)
})

test('a copy that opens says what a damaged one said, whichever comes first', () => {
  for (const order of [
    [undefined, markOf({ tags: ['t'] })],
    [markOf({ tags: ['t'] }), undefined],
  ]) {
    const book = new MarkBook()
    for (const mark of order) book.add(keyOf(1), mark)
    expect(book.of(SNAPSHOT)).toEqual({ pinned: false, tags: ['t'], isUnclear: false })
    expect(book.intact(SNAPSHOT)).toEqual([keyOf(1)])
  }
})
