import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { wantedBy } from './decide.ts'
import { type EmailOptions, sendEmail } from './email.ts'
import { hostOf, post } from './http.ts'
import { type Level, levelOf, type Notice, NotifyError, textOf, titleOf } from './notice.ts'
import { formatOf, type WebhookFormat, webhookRequest } from './webhook.ts'

interface Common {
  /** Which notices it is for. Default: failures, warnings and recoveries. */
  readonly on?: readonly Level[] | undefined
}

export type ChannelOptions =
  | (Common & { readonly type: 'webhook'; readonly url: string; readonly format?: WebhookFormat | undefined })
  | (Common & { readonly type: 'email' } & EmailOptions)
  | (Common & { readonly type: 'command'; readonly run: readonly string[] })
  /** healthchecks.io and its like: `URL/start`, `URL` and `URL/fail`. */
  | { readonly type: 'ping'; readonly url: string }

/** A way to reach people. */
export interface Channel {
  /** For messages about it: its type, and its host. */
  readonly name: string
  /** Whether nobody on the way can read what is sent. */
  readonly isPrivate: boolean
  /** Different from any other's, and no secret: what it still has to be given is kept under it. */
  readonly id: string
  /**
   * Sends what it is for, as one message; nothing when there is nothing.
   * @throws NotifyError; the signal's reason
   */
  send(notices: readonly Notice[], signal?: AbortSignal): Promise<void>
  /**
   * Sends a message that nothing is wrong, whatever it is for. A ping goes to `URL/log`, which changes nothing for who watches.
   * @throws as `send`
   */
  test(signal?: AbortSignal): Promise<void>
  /** For who watches that runs come at all. */
  ping?(event: 'start' | 'success' | 'fail', text: string, signal?: AbortSignal): Promise<void>
}

const TEST: Notice = {
  level: 'success',
  subject: 'test message',
  message: 'sent by `pipe-backup doctor`. Nothing is wrong.',
}

const DEADLINE_MS = 30_000
/** A command that was asked to end gets so long. */
const KILL_MS = 2000
/** For so long what it complained of may still come when it has ended. */
const LAST_WORDS_MS = 300
const TRIES = 3
const FIRST_WAIT_MS = 1000

/**
 * @param origin - what every message says that it comes from: the vault and the host
 * @throws NotifyError for options that can't be
 */
export function openChannel(options: ChannelOptions, origin: string): Channel {
  const id = createHash('sha256').update(JSON.stringify(options)).digest('hex').slice(0, 16)
  return { ...open(options, origin), id: `${options.type} ${id}` }
}

function open(options: ChannelOptions, origin: string): Omit<Channel, 'id'> {
  switch (options.type) {
    case 'webhook': {
      const { url, on } = options
      const format = options.format ?? formatOf(url)
      const send: Send = (notices, signal) =>
        post({ ...webhookRequest(url, format, origin, notices), signal })
      return { ...sending(`webhook ${hostOf(url)}`, on, send), isPrivate: isPrivate(url) }
    }
    case 'email':
      return sending(`email ${options.to.join(', ')}`, options.on, (notices, signal) =>
        sendEmail(options, origin, notices, signal),
      )
    case 'command': {
      const [program = '', ...args] = options.run
      return sending(`command ${program}`, options.on, async (notices, signal) => {
        const { execa } = await import('execa')
        const running = execa(program, args, {
          input: `${titleOf(origin, notices)}\n\n${textOf(notices)}\n`,
          // What else is in the environment may be a secret, and is none of its business.
          extendEnv: false,
          env: {
            ...pick(process.env, PASSED_ON),
            PIPE_BACKUP_LEVEL: levelOf(notices),
            PIPE_BACKUP_TITLE: titleOf(origin, notices),
          },
          stdout: 'ignore',
          reject: false,
          cancelSignal: signal,
          forceKillAfterDelay: KILL_MS,
        })
        const { nodeChildProcess: child } = running
        // What it has left running has its pipe as well, and need not end.
        child.once('exit', () => setTimeout(() => child.stderr?.destroy(), LAST_WORDS_MS))
        const ran = await running
        if (!ran.failed) return
        const said = ran.stderr.trim().split('\n').at(-1) ?? ''
        throw new NotifyError(`${program} failed${said === '' ? '' : `: ${said}`}`)
      })
    }
    case 'ping': {
      const name = `ping ${hostOf(options.url)}`
      const ends = { start: '/start', success: '', fail: '/fail', log: '/log' } as const
      const ping = (event: keyof typeof ends, text: string, signal?: AbortSignal): Promise<void> =>
        tried(signal, (limited) =>
          post({
            url: pingUrl(options.url, ends[event]),
            body: text,
            headers: { 'content-type': 'text/plain' },
            signal: limited,
          }),
        )
      return {
        name,
        isPrivate: isPrivate(options.url),
        send: async () => undefined,
        test: async (signal) => {
          try {
            await ping('log', TEST.message, signal)
          } catch (error) {
            // Not everybody who takes pings has a log: it was reached.
            if (!(error instanceof NotifyError && [400, 404, 405].includes(error.status ?? 0))) throw error
          }
        },
        ping,
      }
    }
  }
}

type Send = (notices: readonly Notice[], signal: AbortSignal) => Promise<void>

function sending(name: string, on: readonly Level[] | undefined, send: Send): Omit<Channel, 'id'> {
  return {
    name,
    isPrivate: true,
    send: async (notices, signal) => {
      const wanted = wantedBy(on, notices)
      if (wanted.length > 0) await tried(signal, (limited) => send(wanted, limited))
    },
    test: (signal) => tried(signal, (limited) => send([TEST], limited)),
  }
}

function isPrivate(url: string): boolean {
  const { protocol, hostname } = new URL(url)
  return protocol === 'https:' || /^(localhost|127\..*|\[::1\])$/.test(hostname)
}

/** The end comes behind the path, and before what the address asks for. */
function pingUrl(url: string, end: string): string {
  const parsed = new URL(url)
  parsed.pathname = parsed.pathname.replace(/\/+$/, '') + end
  return parsed.href
}

const PASSED_ON = [
  'PATH',
  'HOME',
  'USER',
  'LANG',
  'LC_ALL',
  'TZ',
  'DISPLAY',
  'XDG_RUNTIME_DIR',
  'DBUS_SESSION_BUS_ADDRESS',
]

function pick(env: NodeJS.ProcessEnv, names: readonly string[]): NodeJS.ProcessEnv {
  return Object.fromEntries(names.map((name) => [name, env[name]]))
}

/** Tries again what may work in a moment, within a deadline for all of it. */
async function tried(
  signal: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const deadline = AbortSignal.timeout(DEADLINE_MS)
  const limited = signal ? AbortSignal.any([signal, deadline]) : deadline
  for (let attempt = 1; ; attempt++) {
    try {
      await work(limited)
      return
    } catch (error) {
      signal?.throwIfAborted()
      if (deadline.aborted) throw new NotifyError(`no answer in ${DEADLINE_MS / 1000} s`, { isPassing: true })
      if (attempt === TRIES || !(error instanceof NotifyError) || !error.isPassing) throw error
      await sleep(FIRST_WAIT_MS * 2 ** (attempt - 1), undefined, { signal: limited }).catch(() => undefined)
    }
  }
}
