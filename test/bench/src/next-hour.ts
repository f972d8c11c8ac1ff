import {
  createReadStream,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { smallFilePath, sourceText, stateFile, stateFileName } from './content.ts'
import type { Counts } from './dataset.ts'
import { newRows } from './dump.ts'
import { random } from './random.ts'

/**
 * What an hour does to a data set: five new state files and three gone, 1,000 rows in the middle of the dump, which is
 * written again as a dump is, and a hundred small files changed, half of them at their ends.
 * @param step - 1, 2, 3, …: one after the other
 */
export async function nextHour(directory: string, step: number, { smallFiles }: Counts): Promise<void> {
  const next = random('mutate', step)
  const state = join(directory, 'state')
  const files = readdirSync(state)
    .filter((name) => name.endsWith('.ldb'))
    .sort()
  for (let i = 0; i < 3; i++) {
    const [name = ''] = files.splice(next() % files.length, 1)
    rmSync(join(state, name))
  }
  for (let i = 0; i < 5; i++) {
    const n = 900_000 + step * 10 + i
    writeFileSync(join(state, stateFileName(n)), stateFile(n))
  }
  await insertRows(join(directory, 'dump.sql'), newRows(step, 1000))

  const touched = new Set<number>()
  while (touched.size < 100) touched.add(next() % smallFiles)
  for (const i of touched) {
    const path = join(directory, 'tree', smallFilePath(i))
    const text = readFileSync(path, 'latin1')
    const at = i & 1 ? text.length : text.indexOf('\n', text.length >> 1) + 1
    writeFileSync(path, text.slice(0, at) + sourceText(next, 120) + text.slice(at), 'latin1')
  }
}

/** Writes the dump again, with the statement after the one in its middle. */
async function insertRows(path: string, statement: string): Promise<void> {
  const half = statSync(path).size / 2
  const temporary = `${path}.new`
  await using out = await open(temporary, 'w')
  let passed = 0
  let done = false
  for await (const piece of createReadStream(path, {
    highWaterMark: 4 * 1024 * 1024,
  }) as AsyncIterable<Buffer>) {
    const from = Math.max(0, Math.floor(half) - passed)
    const end = done || from >= piece.length ? -1 : piece.indexOf(');\n', from)
    if (end >= 0) {
      await out.write(piece.subarray(0, end + 3))
      await out.write(statement)
      await out.write(piece.subarray(end + 3))
      done = true
    } else await out.write(piece)
    passed += piece.length
  }
  if (!done) throw new Error(`${path}: no place for the rows`)
  renameSync(temporary, path)
}
