import { readFileSync } from 'node:fs'
import type { Entry, EntryReader } from '@pipe-backup/source'
import { expect, test } from 'vitest'
import { type CommandOptions, command } from './command.ts'

async function open(run: string[], options: Partial<CommandOptions> = {}): Promise<EntryReader> {
  let found: Entry | undefined
  for await (const entry of command(run, { path: 'out', ...options })) found = entry
  if (found?.type !== 'file') throw new Error('no file')
  return found.open()
}

async function all(reader: EntryReader, pieceBytes = 10_000): Promise<Buffer> {
  const pieces: Buffer[] = []
  for (;;) {
    const piece = Buffer.alloc(pieceBytes)
    const got = await reader.read(piece)
    if (got === 0) break
    pieces.push(piece.subarray(0, got))
  }
  await reader.finish()
  return Buffer.concat(pieces)
}

const stateOf = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.[0] ?? ' '
  } catch {
    return ' '
  }
}

test('what a program writes is what is read', async () => {
  expect((await all(await open(['seq', '1', '100000']))).toString()).toMatch(/^1\n2\n[^]*\n100000\n$/)
})

test('a program that writes nothing is empty, and reads nothing', async () => {
  expect((await all(await open(['cat']))).length).toBe(0)
})

test('input reaches the program', async () => {
  expect((await all(await open(['cat'], { input: Buffer.from('given') }))).toString()).toBe('given')
})

test('a bad exit fails, with the last lines of its complaint', async () => {
  const reader = await open([
    'sh',
    '-c',
    'echo half; for i in 1 2 3 4 5 6 7; do echo line $i >&2; done; exit 3',
  ])
  await expect(all(reader)).rejects.toMatchObject({
    code: 'command-failed',
    message: 'sh exited with 3: line 3 | line 4 | line 5 | line 6 | line 7',
  })
})

test('a program ended by a signal fails', async () => {
  await expect(all(await open(['sh', '-c', 'echo half; kill -9 $$']))).rejects.toMatchObject({
    message: 'sh was ended by SIGKILL',
  })
})

test('a program that is not there fails', async () => {
  await expect(all(await open(['/no/such/program']))).rejects.toMatchObject({
    code: 'command-failed',
    message: expect.stringContaining('could not be started'),
  })
})

test('the tail that is checked is the end of the output, whatever the pieces', async () => {
  for (const pieceBytes of [1, 7, 511, 512, 5000]) {
    let tail = ''
    const checkTail = (bytes: Uint8Array) => {
      tail = Buffer.from(bytes).toString()
    }
    const text = (await all(await open(['seq', '1', '900'], { checkTail }), pieceBytes)).toString()
    expect(tail).toBe(text.slice(-512))
  }
})

test('closing early ends the program and what it started', async () => {
  const reader = await open(['sh', '-c', 'sleep 1000 & echo $!; wait'])
  const bytes = Buffer.alloc(100)
  const got = await reader.read(bytes)
  await reader.close()
  const child = Number(bytes.subarray(0, got).toString())
  // Ended is enough: whoever is process 1 may take its time to ask how.
  await expect.poll(() => stateOf(child)).toMatch(/^[Z ]$/)
})

test('an abort ends the program and rejects with its reason', async () => {
  const stop = new AbortController()
  const reader = await open(['sleep', '1000'], { signal: stop.signal })
  const reading = all(reader)
  stop.abort(new Error('enough'))
  await expect(reading).rejects.toThrow('enough')
  await reader.close()
})

test('a program that complains a lot does not block', async () => {
  expect((await all(await open(['sh', '-c', 'yes | head -c 3000000 >&2; echo done']))).toString()).toBe(
    'done\n',
  )
})
