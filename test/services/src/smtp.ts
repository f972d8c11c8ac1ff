import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { SMTPServer } from 'smtp-server'

/** A mail that has arrived, as it is on the wire. */
export interface ReceivedMail {
  readonly from: string
  readonly to: readonly string[]
  readonly source: string
  /** Whether it came over TLS. */
  readonly isSecure: boolean
  readonly user: string | undefined
}

export interface SmtpServer extends AsyncDisposable {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
  readonly mails: readonly ReceivedMail[]
}

/** Starts an SMTP server in this process, on a free port of 127.0.0.1, which wants a login, and offers STARTTLS where it has a key. */
export async function startSmtp(
  options: { readonly key?: string; readonly cert?: string } = {},
): Promise<SmtpServer> {
  const [user, password] = ['tester', 'pass word@#']
  const mails: ReceivedMail[] = []
  const { key, cert } = options
  const server = new SMTPServer({
    ...(key !== undefined && cert !== undefined ? { key, cert } : { hideSTARTTLS: true }),
    allowInsecureAuth: key === undefined,
    onAuth: (auth, _session, done) => {
      if (auth.username === user && auth.password === password) done(null, { user })
      else done(new Error('Invalid username or password'))
    },
    onData: (stream, session, done) => {
      const { mailFrom, rcptTo } = session.envelope
      text(stream).then((source) => {
        mails.push({
          from: mailFrom === false ? '' : mailFrom.address,
          to: rcptTo.map(({ address }) => address),
          source,
          isSecure: session.secure,
          user: session.user === undefined ? undefined : String(session.user),
        })
        done()
      }, done)
    },
  })
  // A client that hangs up is the test's affair.
  server.on('error', () => undefined)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    host: '127.0.0.1',
    port: (server.server.address() as AddressInfo).port,
    user,
    password,
    mails,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
  }
}
