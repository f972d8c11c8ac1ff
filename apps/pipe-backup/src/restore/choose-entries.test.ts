import { expect, test } from 'vitest'
import { chooseEntries } from './choose-entries.ts'

/** Directories end with a slash. */
const ENTRIES = [
  'tree/home/',
  'tree/home/bot/',
  'tree/home/bot/wallet.json',
  'tree/home/bot/cache/',
  'tree/home/bot/cache/a.json',
  'tree/home/bot/log',
  'dumps/shop.sql',
]

function chosen(include: readonly string[], exclude: readonly string[] = []): readonly string[] {
  const isWanted = chooseEntries(include, exclude)?.isWanted
  return ENTRIES.filter(
    (entry) => isWanted?.(Buffer.from(entry.replace(/\/$/, '')), entry.endsWith('/')) !== false,
  )
}

test.for<[include: string[], exclude: string[], left: string[]]>([
  [[], [], ENTRIES],
  [['*.json'], [], ['tree/home/bot/wallet.json', 'tree/home/bot/cache/a.json']],
  [['*.json'], ['cache'], ['tree/home/bot/wallet.json']],
  [['cache'], [], ['tree/home/bot/cache/', 'tree/home/bot/cache/a.json']],
  [['log', 'dumps/*'], [], ['tree/home/bot/log', 'dumps/shop.sql']],
  [[], ['/home/bot'], ['tree/home/', 'dumps/shop.sql']],
  [[], ['tree/**'], ['dumps/shop.sql']],
  [['cache'], ['*.json'], ['tree/home/bot/cache/']],
  [[], ['log/'], ENTRIES],
])('of what --include %j and --exclude %j match', ([include, exclude, left]) => {
  expect(chosen(include, exclude)).toEqual(left)
})

test('a name that is no UTF-8 is matched by its bytes', () => {
  const isWanted = chooseEntries(['\\xff*'])?.isWanted
  expect(isWanted?.(Buffer.from('tree/d/\xffa', 'latin1'), false)).toBe(true)
  expect(isWanted?.(Buffer.from('tree/d/\xfea', 'latin1'), false)).toBe(false)
})

test('a pattern that matches nothing is named, and not one whose matches lie in what another includes, or are excluded', () => {
  const choice = chooseEntries(['home', 'wallet.json', 'walet.json', 'log'], ['log'])
  for (const entry of ENTRIES) choice?.isWanted(Buffer.from(entry.replace(/\/$/, '')), entry.endsWith('/'))
  expect(choice?.unmatched).toEqual(['walet.json'])
})
