import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { execa } from 'execa'
import { MAIN, Sandbox } from './sandbox.ts'

/** `pipe-backup ui`, running. */
export interface UiServer extends AsyncDisposable {
  /** To be opened once. */
  readonly address: string
  /** `http://127.0.0.1:34567` */
  readonly origin: string
  /** Sends a signal and gives the exit code. */
  readonly stop: () => Promise<number | undefined>
}

/** A vault of two sinks and two snapshots, between which a file was added, one removed and one changed. */
export async function makeUiVault(): Promise<Sandbox> {
  const sandbox = new Sandbox()
  const tree = sandbox.path('tree')
  mkdirSync(`${tree}/docs/deep`, { recursive: true })
  mkdirSync(`${tree}/many`)
  for (let i = 0; i < 1200; i++)
    writeFileSync(`${tree}/many/file-${String(i).padStart(5, '0')}.txt`, `number ${i}`)
  writeFileSync(`${tree}/docs/a "b" é.txt`, 'quoted')
  writeFileSync(`${tree}/docs/wallet.json`, 'first')
  writeFileSync(`${tree}/docs/deep/large.bin`, randomBytes(3_000_000))
  writeFileSync(Buffer.concat([Buffer.from(`${tree}/docs/latin-`), Buffer.from([0xe9])]), 'no UTF-8')
  sandbox.configure({
    host: 'bot-1',
    schedule: '0 * * * *',
    keep: { hourly: 1 },
    sources: [
      { type: 'files', name: 'tree', paths: [tree] },
      { type: 'command', name: 'words', run: ['echo', 'argument-of-a-command'], path: 'said.txt' },
    ],
    sinks: sandbox.sinks('disk', 'usb'),
    notify: [{ type: 'webhook', url: 'http://127.0.0.1:9/secret-path', on: ['failure'] }],
  })
  await sandbox.ok(['init', '--phrase-out', 'phrase'])
  await sandbox.ok(['run'])
  writeFileSync(`${tree}/docs/wallet.json`, 'and the second')
  writeFileSync(`${tree}/docs/new.txt`, 'new')
  await sandbox.ok(['run', '--tag', 'before the move'])
  return sandbox
}

/** The words that open the vault of a sandbox. */
export function phraseOf(sandbox: Sandbox): string {
  return readFileSync(sandbox.path('phrase'), 'utf8')
}

/** Starts the page's server. @param machine - another has no host key */
export async function startUi(sandbox: Sandbox, machine = 'home'): Promise<UiServer> {
  const child = execa(process.execPath, [MAIN, 'ui', '--json'], {
    cwd: sandbox.root,
    env: sandbox.environment(machine),
    stdin: 'ignore',
    stderr: 'inherit',
    buffer: false,
    reject: false,
  })
  const lines = createInterface({ input: child.stdout })
  const [line] = (await once(lines, 'line')) as readonly unknown[]
  const { address } = JSON.parse(String(line)) as { address: string }
  const stop = async (): Promise<number | undefined> => {
    child.kill('SIGINT')
    return (await child).exitCode
  }
  return {
    address,
    origin: new URL(address).origin,
    stop,
    [Symbol.asyncDispose]: async () => void (await stop()),
  }
}
