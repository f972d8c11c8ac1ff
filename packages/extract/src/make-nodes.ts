import { spawn } from 'node:child_process'
import type { DeviceEntry, FifoEntry } from '@pipe-backup/source'

/**
 * Makes a FIFO or a device node with coreutils: Node can't. The path goes through standard input, since arguments must be text and paths need not.
 * @throws Error with the program's message
 */
export async function makeNode(path: Buffer, entry: FifoEntry | DeviceEntry): Promise<void> {
  const program = entry.type === 'fifo' ? 'mkfifo' : 'mknod'
  const letter = entry.type === 'block-device' ? 'b' : 'c'
  const tail = entry.type === 'fifo' ? [] : [letter, String(entry.major), String(entry.minor)]
  const child = spawn('xargs', ['-0', '-I{}', program, '--', '{}', ...tail], {
    stdio: ['pipe', 'ignore', 'pipe'],
  })
  let message = ''
  child.stderr.setEncoding('utf8')
  child.stderr.on('data', (text: string) => {
    message = (message + text).slice(-500)
  })
  child.stdin.on('error', () => undefined)
  child.stdin.end(Buffer.concat([path, Buffer.of(0)]))
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  if (code !== 0) throw new Error(message.trim() || `${program} failed`)
}
