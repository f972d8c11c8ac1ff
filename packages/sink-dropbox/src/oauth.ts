import { text } from 'node:stream/consumers'
import { type Connections, exchange } from '@pipe-backup/http'
import type { DropboxAuth } from 'dropbox'
import { ApiFailure, failureOf } from './api-failure.ts'
import { parseObject } from './json.ts'

export interface OAuthOptions {
  readonly connections: Connections
  readonly apiUrl: string
  readonly appKey: string
  readonly appSecret?: string | undefined
  readonly refreshToken?: string | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * The SDK's login. It puts all that it asks with into the address, where logs keep it: here it goes into the body, as a form.
 * What it is given must be encoded as for an address, for it does not do so. Its requests fail with `ApiFailure`, or with the network's error.
 */
export async function oauth(options: OAuthOptions): Promise<DropboxAuth> {
  const { connections, apiUrl, appKey, appSecret, refreshToken, signal } = options
  const sdk = await import('dropbox')
  const fetch = async (address: string): Promise<Response> => {
    const { pathname, searchParams } = new URL(address)
    const body = Buffer.from(searchParams.toString())
    const response = await exchange(connections, {
      method: 'POST',
      url: new URL(`${apiUrl}${pathname}`),
      headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
      body: { pieces: () => [body], sizeBytes: body.length },
      signal,
    })
    const answered = await text(response)
    if (response.statusCode !== 200) throw failureOf(response, answered, [...searchParams.values()])
    if (!parseObject(answered)) throw new ApiFailure(200, {}, 'the answer is no JSON')
    return new Response(answered)
  }
  return new sdk.DropboxAuth({
    clientId: encodeURIComponent(appKey),
    ...(appSecret !== undefined && { clientSecret: encodeURIComponent(appSecret) }),
    ...(refreshToken !== undefined && { refreshToken: encodeURIComponent(refreshToken) }),
    fetch,
  })
}
