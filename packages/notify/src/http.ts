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
  let response: Response
  try {
    // fetch takes no address with a login in it.
    const address = new URL(url)
    const login = loginOf(address)
    address.username = address.password = ''
    // A token may come without a name: https://docs.ntfy.sh/publish/#access-tokens
    const authorization = login && { authorization: `Basic ${base64(`${login.user}:${login.password}`)}` }
    const all = { ...headers, ...authorization }
    response = await fetch(address, { method: 'POST', body, headers: all, signal, redirect: 'manual' })
  } catch (cause) {
    if (signal.aborted) throw signal.reason
    if (cause instanceof NotifyError) throw cause
    const code = cause instanceof Error && cause.cause instanceof Error ? cause.cause.message : String(cause)
    throw new NotifyError(`${host} can't be reached: ${withoutUrl(code, url)}`, { isPassing: true })
  }
  await response.body?.cancel()
  if (response.ok) return
  const isPassing = response.status === 429 || response.status >= 500
  throw new NotifyError(`${host} answers ${response.status}`, {
    isPassing,
    status: response.status,
    ...(!isPassing && { hint: 'Check the url of this notification.' }),
  })
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
