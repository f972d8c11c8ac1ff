import { readFileSync } from 'node:fs'
import { execa } from 'execa'

/** A call of a program that changes what is on a disk. */
export type DiskCall = {
  /** Lines of the record: when it began, and when it was answered. */
  readonly began: number
  readonly ended: number
} & DiskChange

type DiskChange =
  | { readonly type: 'open'; readonly path: string; readonly create: boolean; readonly truncate: boolean }
  | { readonly type: 'write'; readonly path: string; readonly at: number; readonly bytes: Buffer }
  | { readonly type: 'truncate'; readonly path: string; readonly size: number }
  | { readonly type: 'times'; readonly path: string; readonly mtimeNs: bigint }
  | { readonly type: 'rename' | 'link'; readonly from: string; readonly to: string }
  | { readonly type: 'symlink'; readonly target: string; readonly path: string }
  | { readonly type: 'mkdir' | 'unlink' | 'rmdir' | 'sync'; readonly path: string }

const TRACED =
  'open,openat,creat,write,pwrite64,writev,pwritev,ftruncate,truncate,rename,renameat,renameat2,link,linkat,symlink,symlinkat,' +
  'unlink,unlinkat,mkdir,mkdirat,rmdir,fsync,fdatasync,utimensat,fallocate,copy_file_range,sync,syncfs'
/** More than anything writes at once. */
const MAX_WRITE_BYTES = 16 * 1024 * 1024

/** Runs a program, and records which calls it makes of the kernel that change something. @throws Error when it fails */
export async function recordCalls(record: string, command: readonly string[]): Promise<DiskCall[]> {
  const options = ['-f', '-y', '-xx', '-s', String(MAX_WRITE_BYTES), '-o', record, '-e', `trace=${TRACED}`]
  // Without threads of the kernel that nobody could watch.
  await execa('strace', [...options, ...command], { env: { UV_USE_IO_URING: '0' } })
  return parseCalls(readFileSync(record, 'latin1'))
}

/** @param record - as strace writes it with `-f -y -xx` */
export function parseCalls(record: string): DiskCall[] {
  const calls: DiskCall[] = []
  const unfinished = new Map<string, { readonly text: string; readonly began: number }>()
  const parser = new CallParser()
  for (const [line, text] of record.split('\n').entries()) {
    const [, pid = '', rest = ''] = /^(\d+)\s+(.*)$/.exec(text) ?? []
    if (rest.endsWith('<unfinished ...>')) {
      unfinished.set(pid, { text: rest.slice(0, -'<unfinished ...>'.length), began: line })
      continue
    }
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest)
    const before = resumed && unfinished.get(pid)
    const whole = before ? before.text + (resumed[1] ?? '') : rest
    const change = parser.parse(whole)
    if (change) calls.push({ ...change, began: before?.began ?? line, ended: line })
  }
  return calls
}

/** Knows where each open file is written next. */
class CallParser {
  readonly #positions = new Map<number, number>()

  /** @returns undefined for what failed, or changes nothing */
  parse(text: string): DiskChange | undefined {
    const [, name = '', args = '', result = ''] = /^(\w+)\((.*)\)\s+= (-?\d+)/.exec(text) ?? []
    if (name === '' || Number(result) < 0) return undefined
    const strings = [...args.matchAll(/"((?:\\x[0-9a-f]{2})*)"/g)].map(([, hex = '']) => bytesOf(hex))
    const [, fd = '', hexPath = ''] = /^(\d+)<((?:\\x[0-9a-f]{2})*)>/.exec(args) ?? []
    const path = bytesOf(hexPath).toString()
    const numbers = args.split(', ').map(Number)
    const [first = '', second = ''] = strings.map(String)
    switch (name) {
      case 'open':
      case 'openat':
      case 'creat':
        this.#positions.set(Number(result), 0)
        if (!/O_WRONLY|O_RDWR/.test(args)) return undefined
        return { type: 'open', path: first, create: /O_CREAT/.test(args), truncate: /O_TRUNC/.test(args) }
      case 'write':
      case 'writev': {
        const at = this.#positions.get(Number(fd)) ?? 0
        this.#positions.set(Number(fd), at + Number(result))
        return { type: 'write', path, at, bytes: Buffer.concat(strings).subarray(0, Number(result)) }
      }
      case 'pwrite64':
      case 'pwritev': {
        const bytes = Buffer.concat(strings).subarray(0, Number(result))
        return { type: 'write', path, at: numbers.at(-1) ?? 0, bytes }
      }
      case 'ftruncate':
        return { type: 'truncate', path, size: numbers[1] ?? 0 }
      case 'truncate':
        return { type: 'truncate', path: first, size: numbers[1] ?? 0 }
      case 'utimensat': {
        const [, s = '0', ns = '0'] = /tv_sec=\d+.*tv_sec=(\d+), tv_nsec=(\d+)/.exec(args) ?? []
        return { type: 'times', path: path || first, mtimeNs: BigInt(s) * 1_000_000_000n + BigInt(ns) }
      }
      case 'rename':
      case 'renameat':
      case 'renameat2':
        return { type: 'rename', from: first, to: second }
      case 'link':
      case 'linkat':
        return { type: 'link', from: first, to: second }
      case 'symlink':
      case 'symlinkat':
        return { type: 'symlink', target: first, path: second }
      case 'unlink':
        return { type: 'unlink', path: first }
      case 'unlinkat':
        return { type: args.includes('AT_REMOVEDIR') ? 'rmdir' : 'unlink', path: first }
      case 'rmdir':
        return { type: 'rmdir', path: first }
      case 'mkdir':
      case 'mkdirat':
        return { type: 'mkdir', path: first }
      case 'fsync':
      case 'fdatasync':
        return { type: 'sync', path }
      case 'sync':
        return { type: 'sync', path: '/' }
      case 'syncfs':
        return { type: 'sync', path: '/' }
      default:
        throw new Error(`the model of a disk does not know ${name}`)
    }
  }
}

function bytesOf(hex: string): Buffer {
  return Buffer.from(hex.replaceAll('\\x', ''), 'hex')
}
