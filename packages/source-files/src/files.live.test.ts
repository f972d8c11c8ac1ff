import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync, truncateSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { filesSource } from './files-source.ts'
import { readEntry, TestTree } from './test-support/test-tree.ts'

/**
 * Does to a directory what LevelDB does: writes tables piece by piece, appends to a log, writes a manifest, renames it
 * into CURRENT, deletes what is old; and now and then rests. After each system call it notes the state that the
 * directory is in, as a hash of all names and bytes.
 */
const WRITER = `
import { createHash } from 'node:crypto'
import { appendFileSync, closeSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { setImmediate, setTimeout } from 'node:timers/promises'
process.chdir(process.argv[1])
const states = openSync(process.argv[2], 'w')
const files = new Map()
const hash = (text) => createHash('sha256').update(text).digest('hex')
function note() {
  const lines = [...files].map(([name, text]) => name + ' ' + hash(text)).sort()
  writeSync(states, hash(lines.join()) + '\\n')
}
async function write(name, ...pieces) {
  const fd = openSync(name, 'wx')
  files.set(name, '')
  note()
  for (const piece of pieces) {
    await setImmediate()
    writeSync(fd, piece)
    files.set(name, files.get(name) + piece)
    note()
  }
  closeSync(fd)
}
function remove(name) {
  rmSync(name)
  files.delete(name)
  note()
}
let ended = false
process.stdin.on('end', () => (ended = true)).resume()
const live = []
await write('LOG')
for (let n = 1; !ended; n++) {
  const table = String(n).padStart(6, '0') + '.ldb'
  await write(table, 'head ' + n, 'x'.repeat(n % 5000), 'tail ' + n)
  live.push(table)
  appendFileSync('LOG', 'made ' + table + '\\n')
  files.set('LOG', files.get('LOG') + 'made ' + table + '\\n')
  note()
  const old = live.length > 8 ? live.splice(0, 4) : []
  await write('MANIFEST-' + n, live.join('\\n'))
  await write('CURRENT.new', 'MANIFEST-' + n)
  renameSync('CURRENT.new', 'CURRENT')
  files.set('CURRENT', files.get('CURRENT.new'))
  files.delete('CURRENT.new')
  note()
  for (const name of [...old, ...(n > 1 ? ['MANIFEST-' + (n - 1)] : [])]) remove(name)
  if (n === 1) process.stdout.write('ready')
  if (n % 50 === 0) await setTimeout(200)
}
`

const hash = (bytes: string | Uint8Array) => createHash('sha256').update(bytes).digest('hex')

/** One reading of the tree: what an engine would store of it, and the state of the files in it. */
async function readTree(directory: string): Promise<{ stored: string; state: string }> {
  const lines: string[] = []
  const stored: string[] = []
  for await (const entry of filesSource({ name: 'db', paths: [directory] }).entries({
    onProblem: () => undefined,
  })) {
    const name = Buffer.from(entry.path).toString().slice(directory.length)
    if (entry.type !== 'file') {
      stored.push(`${name} ${entry.mtimeNs}`)
      continue
    }
    try {
      const { bytes, end } = await readEntry(entry)
      lines.push(`${name} ${hash(bytes)}`)
      stored.push(`${name} ${end.mtimeNs} ${end.steady} ${hash(bytes)}`)
    } catch {
      stored.push(`${name} vanished`)
    }
  }
  return { stored: stored.join(), state: hash(lines.sort().join()) }
}

async function stopped(writer: ChildProcess): Promise<void> {
  const exit = once(writer, 'exit')
  writer.stdin?.end()
  await exit
}

test('a live database, read until a reading is as the one before, is caught in a state that it was in', async () => {
  using tree = new TestTree()
  using notes = new TestTree()
  const writer = spawn(
    process.execPath,
    ['--input-type=module', '--eval', WRITER, tree.root, notes.at('states')],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  )
  onTestFinished(() => void writer.kill('SIGKILL'))
  await once(writer.stdout, 'data')
  const caught: string[] = []
  const passedOver: string[] = []
  const mixtures = (readings: readonly string[]) => {
    const states = new Set(readFileSync(notes.at('states'), 'utf8').split('\n'))
    return readings.filter((state) => !states.has(state))
  }
  // It is alive: there are mixtures to be passed over.
  while (caught.length < 8 || mixtures(passedOver).length === 0) {
    let before = await readTree(tree.root)
    for (;;) {
      const again = await readTree(tree.root)
      if (again.stored === before.stored) break
      passedOver.push(before.state)
      before = again
    }
    caught.push(before.state)
    // Not always at the same point of its round.
    await sleep(37)
  }
  await stopped(writer)
  expect(mixtures(caught)).toEqual([])
})

test('a directory of 200,000 entries is walked with 48 MB of heap', async () => {
  using tree = new TestTree()
  // In memory where it can be: a disk takes a minute to make and delete so many.
  const isRoot = process.getuid?.() === 0
  if (isRoot) execFileSync('mount', ['-t', 'tmpfs', '-o', 'nr_inodes=0', 'none', tree.root])
  using _ = { [Symbol.dispose]: () => void (isRoot && execFileSync('umount', [tree.root])) }
  for (let i = 0; i < 200_000; i++) closeSync(openSync(tree.at(`a-name-of-usual-length-${i}`), 'w'))
  const script = `
    import { files } from ${JSON.stringify(join(import.meta.dirname, 'files.ts'))}
    let entries = 0
    for await (const { path } of files([process.argv[1]])) entries += path.length > 0 ? 1 : 0
    console.log(entries)`
  const options = ['--max-old-space-size=48', '--conditions=pipe-backup-src', '--input-type=module']
  const count = execFileSync(process.execPath, [...options, '--eval', script, tree.root], {
    encoding: 'utf8',
  })
  expect(Number(count)).toBe(200_001)
})

test('a sparse file of more than 4 GiB is read to its last byte, in bounded memory', async () => {
  using tree = new TestTree()
  const size = 2 ** 32 + 1_000_003
  writeFileSync(tree.at('large'), '')
  truncateSync(tree.at('large'), size)
  const fd = openSync(tree.at('large'), 'r+')
  writeSync(fd, 'last', size - 4)
  closeSync(fd)
  const entry = (await tree.walk()).entries.get('/large')
  if (entry?.type !== 'file') throw new Error('not a file')
  const reader = await entry.open()
  const into = Buffer.alloc(1024 * 1024)
  let [taken, end] = [0, '']
  for (let got = await reader.read(into); got > 0; got = await reader.read(into)) {
    taken += got
    end = into.toString('latin1', Math.max(0, got - 4), got)
  }
  const { steady } = await reader.finish()
  expect({ size: entry.size, sparse: entry.sparse, taken, end, steady }).toEqual({
    size,
    sparse: true,
    taken: size,
    end: 'last',
    steady: true,
  })
})
