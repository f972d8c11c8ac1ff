import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { execa } from 'execa'
import { MAIN, type Sandbox } from './sandbox.ts'

/** What curl got. */
interface Got {
  readonly exitCode: number | undefined
  readonly status: number
  readonly headers: string
  readonly body: Buffer
}

/** `pipe-backup mount`, running. */
export class Mounted implements AsyncDisposable {
  readonly url: string
  readonly #sandbox: Sandbox
  readonly #netrc: string
  #calls = 0
  readonly #process: ReturnType<typeof start>
  readonly #password: string

  /** Starts it with the phrase in `phrase`, and waits until it answers. */
  static async start(sandbox: Sandbox, ...args: string[]): Promise<Mounted> {
    const process = start(sandbox, args)
    for await (const line of createInterface({ input: process.stdout })) {
      const { url, password } = JSON.parse(line) as { url: string; password: string }
      return new Mounted(sandbox, process, url, password)
    }
    throw new Error(`mount ended: ${(await process).stderr}`)
  }

  private constructor(sandbox: Sandbox, process: ReturnType<typeof start>, url: string, password: string) {
    this.url = url
    this.#sandbox = sandbox
    this.#process = process
    this.#password = password
    this.#netrc = sandbox.path('netrc')
    writeFileSync(this.#netrc, `machine 127.0.0.1 login pipe-backup password ${password}\n`, { mode: 0o600 })
  }

  /** How many bytes its process has read, from files and sockets. */
  get bytesRead(): number {
    return Number(/^rchar: (\d+)/m.exec(readFileSync(`/proc/${this.#process.pid}/io`, 'latin1'))?.[1])
  }

  /** Calls curl with the password. @param path - as in a URL, without the first slash */
  async curl(path: string, ...args: string[]): Promise<Got> {
    return await this.curlWithout(path, '--netrc-file', this.#netrc, ...args)
  }

  /** Calls curl without the password. */
  async curlWithout(path: string, ...args: string[]): Promise<Got> {
    // Of what it collects itself, execa makes a message when a program fails: of 300 MB that takes half a minute.
    const file = this.#sandbox.path(`curl-${this.#calls++}`)
    writeFileSync(file, '')
    const given = ['-s', '-i', '-o', file, '--path-as-is', ...args, `${this.url}${path}`]
    const ran = await execa('curl', given, { reject: false })
    const out = readFileSync(file)
    rmSync(file)
    const end = out.indexOf('\r\n\r\n')
    const headers = out.subarray(0, end).toString('latin1')
    const status = Number(/^HTTP\/1.1 (\d+)/.exec(headers)?.[1])
    return { exitCode: ran.exitCode, status, headers, body: out.subarray(end + 4) }
  }

  /** Calls rclone; the view is its remote `backup:`. @returns what it said, with its exit code */
  async rclone(...args: string[]): Promise<{ readonly exitCode: number | undefined; readonly said: string }> {
    const { stdout: pass } = await execa('rclone', ['obscure', '-'], { input: this.#password })
    const remote = { TYPE: 'webdav', VENDOR: 'other', URL: this.url, USER: 'pipe-backup', PASS: pass }
    const env = Object.fromEntries(
      Object.entries(remote).map(([name, value]) => [`RCLONE_CONFIG_BACKUP_${name}`, value]),
    )
    const ran = await execa('rclone', ['--config', '/dev/null', ...args], { env, reject: false, all: true })
    return { exitCode: ran.exitCode, said: ran.all }
  }

  /** Ends it as Ctrl-C does. */
  async stop(): Promise<{ readonly exitCode: number | undefined; readonly stderr: string }> {
    this.#process.kill('SIGINT')
    const { exitCode, stderr } = await this.#process
    return { exitCode, stderr }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}

function start(sandbox: Sandbox, args: readonly string[]) {
  return execa(
    process.execPath,
    [MAIN, 'mount', '--json', '--phrase-file', sandbox.path('phrase'), ...args],
    {
      cwd: sandbox.root,
      env: sandbox.environment(),
      stdin: 'ignore',
      reject: false,
    },
  )
}
