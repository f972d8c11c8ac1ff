import { loginOf } from './http.ts'
import { type Notice, NotifyError, textOf, titleOf } from './notice.ts'

export interface EmailOptions {
  /** smtp://user:password@host:587, with STARTTLS wherever the host is not this machine; smtps://host for TLS from the start. */
  readonly smtp: string
  readonly from: string
  readonly to: readonly string[]
  /** Certificate authorities to trust instead of the system's: PEM. */
  readonly ca?: string | undefined
}

const TIMEOUT_MS = 20_000

/** Sends one mail, as plain text. @throws NotifyError that names the server alone */
export async function sendEmail(
  options: EmailOptions,
  origin: string,
  notices: readonly Notice[],
  signal: AbortSignal,
): Promise<void> {
  const url = URL.parse(options.smtp)
  if (!url || !/^smtps?:$/.test(url.protocol))
    throw new NotifyError('its smtp is no smtp:// or smtps:// address', {
      hint: 'Check smtp of this notification.',
    })
  // Loaded when there is something to send.
  const { createTransport } = await import('nodemailer')
  const secure = url.protocol === 'smtps:'
  const isHere = /^(localhost|127\..*|\[::1\])$/.test(url.hostname)
  const { hostname, port } = url
  const login = loginOf(url)
  const transport = createTransport({
    host: hostname.replaceAll(/[[\]]/g, ''),
    port: port === '' ? (secure ? 465 : 587) : Number(port),
    secure,
    // A password or a message in the clear is for this machine alone.
    requireTLS: !secure && !isHere,
    connectionTimeout: TIMEOUT_MS,
    greetingTimeout: TIMEOUT_MS,
    socketTimeout: TIMEOUT_MS,
    auth: login && { user: login.user, pass: login.password },
    tls: { ca: options.ca },
  })
  try {
    const sending = transport.sendMail({
      from: options.from,
      to: [...options.to],
      subject: titleOf(origin, notices),
      text: `${textOf(notices)}\n\n-- \npipe-backup ${origin}\n`,
      headers: { 'Auto-Submitted': 'auto-generated' },
    })
    await Promise.race([sending, rejectionOf(signal)])
  } catch (cause) {
    signal.throwIfAborted()
    const said = cause instanceof Error ? cause.message.replaceAll(/\s+/g, ' ').slice(0, 200) : ''
    const status = cause instanceof Error && 'responseCode' in cause ? Number(cause.responseCode) : undefined
    // 4xx: try again; without an answer the network may come back.
    const isPassing = status === undefined ? !isCertificate(said) : status < 500
    throw new NotifyError(`${hostname} did not take the mail: ${said}`, { isPassing })
  } finally {
    transport.close()
  }
}

/** `close` ends the connection of a server that keeps us waiting. */
function rejectionOf(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const onAbort = () => reject(signal.reason as Error)
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort, { once: true })
  })
}

function isCertificate(said: string): boolean {
  return /certificate|TLS|auth/i.test(said)
}
