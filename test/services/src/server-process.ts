import { type ChildProcess, spawn } from 'node:child_process'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** A server that this test run has started, and ends. */
export interface ServerProcess extends AsyncDisposable {
  readonly pid: number
  /** What it has said on stderr and stdout, its last part. */
  readonly said: () => string
  stop(signal?: NodeJS.Signals): Promise<void>
}

const START_MS = 30_000
const SAID_CHARACTERS = 8000

/**
 * Starts a server in the foreground, and waits until it takes connections on a port of 127.0.0.1.
 * @throws Error with what it said, when it ends or does not listen in time
 */
export async function startServer(
  program: string,
  args: readonly string[],
  port: number,
  env: Readonly<Record<string, string>> = {},
  startMs: number = START_MS,
): Promise<ServerProcess> {
  // The kernel ends it when this process is killed, which then has no time to.
  const server = spawn('setpriv', ['--pdeathsig', 'TERM', program, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    // Not every PATH has the directory of the servers.
    env: { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin`, ...env },
  })
  let text = ''
  for (const output of [server.stdout, server.stderr]) {
    output.setEncoding('utf8').on('data', (more: string) => {
      text = (text + more).slice(-SAID_CHARACTERS)
    })
  }
  let failed = false
  const ended = new Promise<void>((resolve) => {
    server.once('close', () => resolve())
    server.once('error', (error) => {
      text += error.message
      failed = true
      resolve()
    })
  })
  // A test run that is killed must not leave the server behind.
  const last = () => server.kill('SIGKILL')
  process.once('exit', last)
  const stop = async (signal: NodeJS.Signals = 'SIGTERM'): Promise<void> => {
    server.kill(signal)
    const timer = setTimeout(() => server.kill('SIGKILL'), 5000)
    await ended
    clearTimeout(timer)
    process.off('exit', last)
  }
  for (const deadline = Date.now() + startMs; !(await listens(port)); await sleep(50)) {
    if (!failed && isRunning(server) && Date.now() < deadline) continue
    await stop('SIGKILL')
    throw new Error(`${program} did not start:\n${text}`)
  }
  return { pid: server.pid ?? 0, said: () => text, stop, [Symbol.asyncDispose]: () => stop() }
}

function isRunning(server: ChildProcess): boolean {
  return server.exitCode === null && server.signalCode === null
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
