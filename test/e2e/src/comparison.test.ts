import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'

const DOCS = resolve(import.meta.dirname, '../../../docs')

/** The rows of every table of a document, their cells trimmed. */
function rows(document: string): string[][] {
  const text = readFileSync(join(DOCS, document), 'utf8')
  return [...text.matchAll(/^\|(.*)\|$/gm)].map(([, row = '']) => row.split('|').map((cell) => cell.trim()))
}

/** What was measured: seconds and peak memory, by what was done and by whom. */
const MEASURED = new Map(
  rows('benchmarks.md').flatMap(([what = '', who = '', seconds = '', , , peak = '']) => [
    [`s ${what} ${who}`, seconds],
    [`MiB ${what} ${who}`, peak],
  ]),
)

test('every number of the comparison is the one that the benchmarks have', () => {
  const tables: string[][][] = []
  for (const row of rows('comparison.md')) {
    if (row[0] === '') tables.push([])
    tables.at(-1)?.push(row)
  }
  const compared = ['s', 'MiB'].flatMap((unit, table) => {
    const [head = [], , ...body] = tables[table + 1] ?? []
    return body.flatMap(([what = '', ...cells]) =>
      cells.map((shown, column) => [
        shown,
        MEASURED.get(`${unit} ${what} ${head[column + 1]?.toLowerCase()}`) ?? '',
      ]),
    )
  })
  expect(compared.length).toBeGreaterThan(20)
  for (const [shown, measured] of compared) expect(shown).toBe(measured)
})
