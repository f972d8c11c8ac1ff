import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { expect, onTestFinished, test } from 'vitest'
import { Sandbox } from './sandbox.ts'

/** Writes what it is given into a page that it has mapped, as databases do, and never calls msync. */
const WRITER = `
import mmap, sys
with open(sys.argv[1], 'r+b') as file:
    page = mmap.mmap(file.fileno(), 4096)
    for line in sys.stdin:
        page[:6] = line.strip().encode()
        print('written', flush=True)
`

type Writer = ChildProcessByStdio<Writable, Readable, null>

async function write(writer: Writer, text: string): Promise<void> {
  const written = once(writer.stdout, 'data')
  writer.stdin.write(`${text}\n`)
  await written
}

/** Where no page is written back at a time of the kernel's choice, by which its next change would be seen. */
const IN_MEMORY = '/dev/shm'

test('a change by way of a mapped page that is dirty already leaves size and times as they were: only --force reads it', async () => {
  expect(existsSync(IN_MEMORY)).toBe(true)
  using sandbox = new Sandbox()
  const tree = mkdtempSync(join(IN_MEMORY, 'pipe-backup-pages-'))
  onTestFinished(() => rmSync(tree, { recursive: true }))
  const file = join(tree, 'database')
  writeFileSync(file, Buffer.alloc(4096, '.'))
  const writer = spawn('/usr/bin/python3', ['-c', WRITER, file], { stdio: ['pipe', 'pipe', 'inherit'] })
  onTestFinished(() => void writer.kill())
  sandbox.configure({
    sources: [{ type: 'files', name: 'pages', paths: [tree], every: '1d' }],
    sinks: sandbox.sinks('one'),
  })
  await sandbox.ok(['init', '--phrase-out', 'phrase'])
  await write(writer, 'before')
  await sandbox.ok(['run'])
  const stamp = statSync(file, { bigint: true })
  await write(writer, 'behind')
  const { size, mtimeNs, ctimeNs } = statSync(file, { bigint: true })
  expect({ size, mtimeNs, ctimeNs }).toEqual({
    size: stamp.size,
    mtimeNs: stamp.mtimeNs,
    ctimeNs: stamp.ctimeNs,
  })
  expect(readFileSync(file, 'latin1').slice(0, 6)).toBe('behind')

  const stored = async () => {
    const bytes = await sandbox.ok(['cat', 'latest', `pages${file}`, '--phrase-file', 'phrase'])
    return bytes.toString('latin1', 0, 6)
  }
  // Who names the source has it read, though `every` would let it rest.
  await sandbox.ok(['run', '--source', 'pages'])
  expect(await stored()).toBe('before')
  const forced = JSON.parse((await sandbox.ok(['run', '--force', '--json'])).toString()) as object
  expect(forced).toMatchObject({ sources: [{ bytesRead: 4096 }] })
  expect(await stored()).toBe('behind')
  expect(JSON.parse((await sandbox.ok(['run', '--force', '--json'])).toString())).toMatchObject({
    sources: [{ bytesRead: 4096, bytesNew: 0 }],
  })
})
