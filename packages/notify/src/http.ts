import { isPassing, networkMeaning, statusMeaning } from '@pipe-backup/http'
import { NotifyError } from './notice.ts'

export interface HttpRequest {
  readonly url: string
  readonly body: string
  readonly headers: Readonly<Record<string, string>>
  readonly signal: AbortSignal
}

/**
 * Posts something. Redirects are not followed: an address may be a secret, and belongs to whom it was given for.
 * @throws NotifyError that names the host alone
 */
export async function post({ url, body, headers, signal }: HttpRequest): Promise<void> {
  const host = hostOf(url)
  const address = new URL(url)
  const login = loginOf(address)
  address.username = address.password = ''
  // A token may come without a name: https://docs.ntfy.sh/publish/#access-tokens
  const authorization = login && { Authorization: `Basic ${base64(`${login.user}:${login.password}`)}` }
  const bytes = Buffer.from(body)
  // Loaded when there is something to send: what Node.js has for HTTP takes longer to load than most commands take.
  const { Connections, exchange } = await import('@pipe-backup/http')
  using connections = new Connections()
  let status: number
  try {
    const answer = await exchange(connections, {
      method: 'POST',
      url: address,
      headers: { 'Content-Type': 'text/plain; charset=utf-8', ...headers, ...authorization },
      body: { pieces: () => [bytes], sizeBytes: bytes.length },
      signal,
    })
    status = answer.statusCode ?? 0
    answer.destroy()
  } catch (cause) {
    if (signal.aborted) throw signal.reason
    const why = networkMeaning(cause, { who: host })?.what ?? String(cause)
    throw new NotifyError(`${host} can't be reached: ${withoutUrl(why, url)}`, { isPassing: true })
  }
  if (status >= 200 && status < 300) return
  const mayPass = isPassingStatus(status)
  throw new NotifyError(`${host} answers ${status}`, {
    isPassing: mayPass,
    status,
    hint: mayPass ? undefined : 'Check the url of this notification.',
  })
}

function isPassingStatus(status: number): boolean {
  return isPassing(statusMeaning(status)?.code ?? 'protocol')
}

/** The login in an address, if there is one. @throws NotifyError where it can't be read */
export function loginOf({
  username,
  password,
  hostname,
}: URL): { readonly user: string; readonly password: string } | undefined {
  if (username === '' && password === '') return undefined
  try {
    return { user: decodeURIComponent(username), password: decodeURIComponent(password) }
  } catch {
    throw new NotifyError(`the login in the address of ${hostname} can't be read`, {
      hint: 'Write a % in it as %25.',
    })
  }
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}

/** @throws NotifyError for what is no address of the web */
export function hostOf(url: string): string {
  const parsed = URL.parse(url)
  if (!parsed || !/^https?:$/.test(parsed.protocol))
    throw new NotifyError('its url is no https:// address', { hint: 'Check the url of this notification.' })
  return parsed.host
}

function withoutUrl(text: string, url: string): string {
  return text.replaceAll(url, hostOf(url)).replaceAll(/\s+/g, ' ').slice(0, 200)
}
