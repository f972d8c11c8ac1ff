import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { FaultProxy } from '@pipe-backup/sink/conformance'
import { type RsyncDaemon, startRsyncd } from '@pipe-backup-test/services'
import { afterAll, beforeAll, expect, test } from 'vitest'

const WAIT_MS = 20_000

let daemon: RsyncDaemon
beforeAll(async () => {
  daemon = await startRsyncd()
})
afterAll(() => daemon[Symbol.asyncDispose]())

/** Programs with this in their arguments. */
function running(text: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(join('/proc', pid, 'cmdline'), 'utf8').includes(text)
    } catch {
      // It has ended in this moment.
      return false
    }
  })
}

async function until(what: () => boolean): Promise<boolean> {
  for (const deadline = Date.now() + WAIT_MS; !what(); await sleep(50))
    if (Date.now() > deadline) return false
  return true
}

test.for(['SIGKILL', 'SIGTERM'] as const)(
  'a process that ends by %s takes its rsyncs and its spool along',
  {
    timeout: 3 * WAIT_MS,
  },
  async (signal) => {
    await using proxy = await FaultProxy.start(daemon)
    proxy.fault = { type: 'stall', afterBytes: 100_000 }
    const { name, local } = daemon.makeModule('auth users =')
    const target = `rsync://${daemon.host}:${proxy.port}/${name}`
    const script = `import { rsyncSink } from ${JSON.stringify(join(import.meta.dirname, 'rsync-sink.ts'))}
    const sink = rsyncSink(${JSON.stringify({ name: 'rs', target })})
    await sink.put('object', Buffer.alloc(8_000_000, 'x'))`
    const args = ['--conditions=pipe-backup-src', '--input-type=module', '-e', script]
    const child = spawn(process.execPath, args, { stdio: 'inherit' })
    const ended = once(child, 'exit')
    const spools = () => readdirSync('/dev/shm').filter((one) => one.includes(`-${child.pid}-`))
    const sending = () => running(`${target}/`).length > 0
    const began = await until(() => sending() && readdirSync(local).length > 0)
    expect({ began, spools: spools().length }).toEqual({ began: true, spools: 1 })
    child.kill(signal)
    await ended
    expect({
      rsyncs: await until(() => !sending()),
      spool: await until(() => spools().length === 0),
      object: readdirSync(local).includes('object'),
    }).toEqual({ rsyncs: true, spool: true, object: false })
  },
)
