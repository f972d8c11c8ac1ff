import { createHash, generateKeyPairSync } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { Server, type ServerChannel, utils } from 'ssh2'

export interface FakeServerOptions {
  /** What it announces. A link is answered with OK, and never made. */
  readonly extensions: readonly string[]
  /** Whether a rename is done, besides being answered with OK. Default true. */
  readonly renames?: boolean | undefined
  /** What it says of an object's mode, when it is asked for that alone: its listings are names. Default: nothing. */
  readonly mode?: number | undefined
  /** How long ago it says that each was stored, in seconds. Default 0. */
  readonly age?: number | undefined
}

export interface FakeServer extends AsyncDisposable {
  readonly host: string
  readonly port: number
  readonly hostKey: string
  readonly user: string
  readonly password: string
  /** By path. */
  readonly files: Map<string, Buffer>
}

const [OK, NO_SUCH_FILE, FAILURE, UNSUPPORTED] = [0, 2, 4, 8] as const
const [OPENED, DATA_OF, NAMES, ATTRIBUTES] = [102, 103, 104, 105] as const

/** An SFTP server as sent by version 3 of the protocol, in memory: as far as an object is put, read and listed. It may lie. */
export async function startFakeServer(options: FakeServerOptions): Promise<FakeServer> {
  const { privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
    publicKeyEncoding: { type: 'pkcs1', format: 'pem' },
  })
  const parsed = utils.parseKey(privateKey)
  if (parsed instanceof Error) throw parsed
  const digest = createHash('sha256').update(parsed.getPublicSSH()).digest('base64').replace(/=+$/, '')
  const files = new Map<string, Buffer>()
  const server = new Server({ hostKeys: [privateKey] }, (client) => {
    client.on('error', () => undefined)
    client.on('authentication', (login) => login.accept())
    client.on('ready', () =>
      client.on('session', (accept) =>
        accept().on('subsystem', (take: () => ServerChannel) => serve(take(), files, options)),
      ),
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    host: '127.0.0.1',
    port,
    hostKey: `SHA256:${digest}`,
    user: 'somebody',
    password: 'any',
    files,
    [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())),
  }
}

function serve(channel: Duplex, files: Map<string, Buffer>, options: FakeServerOptions): void {
  const handles = new Map<string, string>()
  let pending = Buffer.alloc(0)
  channel.on('error', () => undefined)
  channel.on('data', (more: Buffer) => {
    pending = Buffer.concat([pending, more])
    while (pending.length >= 4 && pending.length >= 4 + pending.readUInt32BE()) {
      const end = 4 + pending.readUInt32BE()
      channel.write(framed(answerTo(pending.subarray(4, end), handles, files, options)))
      pending = pending.subarray(end)
    }
  })
}

/** @see draft-ietf-secsh-filexfer-02 section 6 */
function answerTo(
  request: Buffer,
  handles: Map<string, string>,
  files: Map<string, Buffer>,
  { extensions, renames = true, mode, age = 0 }: FakeServerOptions,
): Buffer {
  const type = request[0] ?? 0
  if (type === 1)
    return Buffer.concat([
      Buffer.from([2, 0, 0, 0, 3]),
      ...extensions.flatMap((name) => [text(name), text('1')]),
    ])
  const id = request.subarray(1, 5)
  let at = 5
  const next = (): Buffer => {
    const from = at + 4
    at = from + request.readUInt32BE(at)
    return request.subarray(from, at)
  }
  const status = (code: number) => Buffer.concat([Buffer.from([101]), id, number(code), text(''), text('')])
  const reply = (kind: number, body: Buffer) => Buffer.concat([Buffer.from([kind]), id, body])
  const attributesOf = (path: string | undefined): Buffer => {
    const file = files.get(path ?? '')
    if (!file && !path?.endsWith('/')) return status(NO_SUCH_FILE)
    // Size, mode, and times.
    const size = Buffer.concat([number(0), number(file?.length ?? 0)])
    const now = number(Math.floor(Date.now() / 1000) - age)
    const said = mode === undefined ? [number(1 | 8), size] : [number(1 | 4 | 8), size, number(mode)]
    return reply(ATTRIBUTES, Buffer.concat([...said, now, now]))
  }
  const rename = (replace: boolean): Buffer => {
    const [from, to] = [String(next()), String(next())]
    const file = files.get(from)
    if (!file) return status(NO_SUCH_FILE)
    if (!replace && files.has(to)) return status(FAILURE)
    if (renames) {
      files.delete(from)
      files.set(to, file)
    }
    return status(OK)
  }
  switch (type) {
    case 3: {
      const path = String(next())
      const isNew = (request.readUInt32BE(at) & 0x20) !== 0
      if (!isNew && !files.has(path)) return status(NO_SUCH_FILE)
      if (isNew) files.set(path, Buffer.alloc(0))
      const handle = String(handles.size)
      handles.set(handle, path)
      return reply(OPENED, text(handle))
    }
    case 5: {
      const path = handles.get(String(next())) ?? ''
      const [from, length] = [request.readUInt32BE(at + 4), request.readUInt32BE(at + 8)]
      const bytes = (files.get(path) ?? Buffer.alloc(0)).subarray(from, from + length)
      return bytes.length === 0 ? status(1) : reply(DATA_OF, Buffer.concat([number(bytes.length), bytes]))
    }
    case 6: {
      const path = handles.get(String(next())) ?? ''
      at += 8
      files.set(path, Buffer.concat([files.get(path) ?? Buffer.alloc(0), next()]))
      return status(OK)
    }
    case 8:
      return attributesOf(handles.get(String(next())))
    case 17:
      return attributesOf(String(next()))
    case 13:
      return status(files.delete(String(next())) ? OK : NO_SUCH_FILE)
    case 18:
      return rename(false)
    case 200: {
      const name = String(next())
      if (name === 'posix-rename@openssh.com') return rename(true)
      return status(name === 'hardlink@openssh.com' ? OK : UNSUPPORTED)
    }
    // Close, make a directory.
    case 4:
    case 14:
      return status(OK)
    case 11: {
      const path = String(next()).replace(/\/?$/, '/')
      const isThere = path === '/' || [...files.keys()].some((file) => file.startsWith(path))
      if (!isThere) return status(NO_SUCH_FILE)
      const handle = String(handles.size)
      handles.set(handle, path)
      return reply(OPENED, text(handle))
    }
    case 12: {
      const handle = String(next())
      const directory = handles.get(handle)
      if (!directory) return status(1)
      handles.set(handle, '')
      const names = [...files.keys()]
        .filter((path) => path.startsWith(directory))
        .map((path) => path.slice(directory.length))
        .filter((name) => !name.includes('/'))
      const entries = names.flatMap((name) => [text(name), text(''), number(0)])
      return reply(NAMES, Buffer.concat([number(names.length), ...entries]))
    }
    default:
      return status(UNSUPPORTED)
  }
}

function framed(packet: Buffer): Buffer {
  return Buffer.concat([number(packet.length), packet])
}

function text(value: string): Buffer {
  return Buffer.concat([number(value.length), Buffer.from(value)])
}

function number(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
