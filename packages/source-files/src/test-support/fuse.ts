/**
 * A file system of one file that stops answering, over the kernel's own protocol (linux/fuse.h): `fuse.ts DIRECTORY NEVER`, where
 * NEVER is the first request that is left unanswered; with TWICE all are answered, and the name of the file is listed twice. Prints a line when it is mounted.
 */
import { spawnSync } from 'node:child_process'
import { openSync, readSync, writeSync } from 'node:fs'

const LOOKUP = 1
const FORGET = 2
const GETATTR = 3
const OPEN = 14
const READ = 15
const RELEASE = 18
const FLUSH = 25
const INIT = 26
const OPENDIR = 27
const READDIR = 28
const RELEASEDIR = 29
const OPCODES: Readonly<Record<string, number>> = { INIT, GETATTR, READDIR, OPEN, READ, FLUSH }

const FILE_BYTES = 1024 * 1024
const [directory = '', never = ''] = process.argv.slice(2)
const fd = openSync('/dev/fuse', 'r+')
const options = 'fd=3,rootmode=40000,user_id=0,group_id=0'
const mounted = spawnSync('mount', ['-i', '-t', 'fuse', 'hangs', directory, '-o', options], {
  stdio: ['ignore', 'inherit', 'inherit', fd],
})
if (mounted.status !== 0) process.exit(1)
process.stdout.write('mounted\n')

const request = Buffer.alloc(1024 * 1024 + 4096)
for (;;) {
  readSync(fd, request, 0, request.length, null)
  const opcode = request.readUInt32LE(4)
  // It stays mounted, and whoever asks waits.
  if (opcode === OPCODES[never]) await new Promise((resolve) => setTimeout(resolve, 1e9))
  const body = answer(opcode, request.readBigUInt64LE(16))
  if (body === undefined) continue
  const header = Buffer.alloc(16)
  header.writeUInt32LE(16 + (typeof body === 'number' ? 0 : body.length), 0)
  header.writeInt32LE(typeof body === 'number' ? -body : 0, 4)
  request.copy(header, 8, 8, 16)
  writeSync(fd, typeof body === 'number' ? header : Buffer.concat([header, body]))
}

/** @returns what the answer holds, or the number of an error; `undefined` for no answer */
function answer(opcode: number, node: bigint): Buffer | number | undefined {
  switch (opcode) {
    case INIT: {
      const out = Buffer.alloc(64)
      out.writeUInt32LE(7, 0)
      out.writeUInt32LE(31, 4)
      out.writeUInt32LE(65_536, 20)
      return out
    }
    case FORGET:
      return undefined
    case GETATTR:
      return Buffer.concat([Buffer.alloc(16), attributes(node)])
    case LOOKUP: {
      const out = Buffer.alloc(40)
      out.writeBigUInt64LE(2n, 0)
      return Buffer.concat([out, attributes(2n)])
    }
    case OPEN:
    case OPENDIR:
      return Buffer.alloc(16)
    case READDIR: {
      if (request.readBigUInt64LE(48) > 0n) return Buffer.alloc(0)
      const entry = Buffer.alloc(32)
      entry.writeBigUInt64LE(2n, 0)
      entry.writeBigUInt64LE(1n, 8)
      entry.writeUInt32LE(4, 16)
      entry.writeUInt32LE(8, 20)
      entry.write('file', 24)
      if (never !== 'TWICE') return entry
      const again = Buffer.from(entry)
      again.writeBigUInt64LE(2n, 8)
      return Buffer.concat([entry, again])
    }
    case READ:
      return Buffer.alloc(request.readUInt32LE(56), 'x')
    case RELEASE:
    case RELEASEDIR:
    case FLUSH:
      return Buffer.alloc(0)
    default:
      return 38
  }
}

function attributes(node: bigint): Buffer {
  const out = Buffer.alloc(88)
  const isRoot = node === 1n
  out.writeBigUInt64LE(node, 0)
  out.writeBigUInt64LE(BigInt(isRoot ? 0 : FILE_BYTES), 8)
  for (const at of [24, 32, 40]) out.writeBigUInt64LE(1_700_000_000n, at)
  out.writeUInt32LE(isRoot ? 0o040755 : 0o100644, 60)
  out.writeUInt32LE(isRoot ? 2 : 1, 64)
  return out
}
