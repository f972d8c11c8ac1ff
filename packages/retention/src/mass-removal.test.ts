import { expect, test } from 'vitest'
import { massRemoval } from './mass-removal.ts'
import type { RetentionSnapshot } from './retain.ts'

const snapshot = (id: string, hostId = 'aaaaaaaaaa', names = ['s']): RetentionSnapshot => ({
  id,
  time: new Date(0),
  hostId,
  sources: names.map((name) => ({ name, state: 'ok' })),
})
const ten = Array.from({ length: 10 }, (_, i) => snapshot(String(i)))
const first = (count: number) => new Set(ten.slice(0, count).map(({ id }) => id))

test('more than half is remarkable, half is not', () => {
  expect(massRemoval(ten, first(5))).toBeUndefined()
  expect(massRemoval(ten, first(6))).toBe('it would remove 6 of 10 snapshots')
  expect(massRemoval([], new Set())).toBeUndefined()
})

test('what the same policy does each day is routine, unless it leaves far less than the last time', () => {
  expect(massRemoval(ten, first(7), { routineKept: 3 })).toBeUndefined()
  expect(massRemoval(ten, first(7), { routineKept: 7 })).toBe('it would remove 7 of 10 snapshots')
})

test('the last of a host and source is remarkable, also where another host has a source of that name', () => {
  const others = [snapshot('x', 'bbbbbbbbbb'), snapshot('y', 'aaaaaaaaaa', ['piped'])]
  expect(massRemoval([...ten, ...others], new Set(['x', 'y']), { routineKept: 1 })).toBe(
    'it would remove the last copy of source "s" of host bbbbbbbb, source "piped" of host aaaaaaaa',
  )
})
