import { createServer, type IncomingMessage, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'

export interface ConditionalWrites extends AsyncDisposable {
  readonly endpoint: string
  /** Keys of the objects that were written with the condition, without it, and that were refused for want of it. */
  readonly written: { readonly conditional: string[]; readonly plain: string[]; readonly refused: string[] }
}

const DENIED =
  '<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code><Message>by the policy</Message></Error>'

/**
 * A real store of S3's kind behind a bucket policy that denies object writes without `If-None-Match`, as Amazon has it since November 2024:
 * PutObject and CompleteMultipartUpload need the header; what creates no object (CreateMultipartUpload, UploadPart) does not; CopyObject is denied.
 * @param mayReplace - keys, with the bucket before them, that the policy leaves out
 */
export async function startConditionalWrites(
  storeEndpoint: string,
  mayReplace: RegExp,
): Promise<ConditionalWrites> {
  const written = { conditional: [] as string[], plain: [] as string[], refused: [] as string[] }
  const { hostname, port } = new URL(storeEndpoint)
  const isAllowed = ({ method = '', url = '', headers }: IncomingMessage): boolean => {
    const { pathname, searchParams } = new URL(url, storeEndpoint)
    const key = decodeURIComponent(pathname.slice(1))
    const isObject = key.split('/').filter((part) => part !== '').length > 1
    const isPut = method === 'PUT' && !searchParams.has('uploadId')
    const isComplete = method === 'POST' && searchParams.has('uploadId')
    if (!isObject || !(isPut || isComplete)) return true
    const isConditional = headers['if-none-match'] === '*' && headers['x-amz-copy-source'] === undefined
    const isFree = isConditional || mayReplace.test(key)
    written[isConditional ? 'conditional' : isFree ? 'plain' : 'refused'].push(key)
    return isFree
  }
  const server = createServer((incoming, outgoing) => {
    const { method, url, headers } = incoming
    if (!isAllowed(incoming)) {
      incoming
        .resume()
        .once('end', () => outgoing.writeHead(403, { 'content-type': 'application/xml' }).end(DENIED))
      return
    }
    // Under the name that the client knows the store by: it is signed.
    const onward = async (): Promise<void> => {
      const sent = await buffer(incoming)
      const asking = request({ hostname, port, method, path: url, headers }, (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
        answer.pipe(outgoing)
      })
      asking.once('error', () => outgoing.destroy()).end(sent)
    }
    onward().catch(() => outgoing.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    written,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
