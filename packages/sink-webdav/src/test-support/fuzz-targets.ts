import { SinkError } from '@pipe-backup/sink'
import { Authorization } from '../authorization.ts'
import { readMultistatus } from '../multistatus.ts'

const HREF = '<D:href>/dav/a%20b/</D:href>'
const OK = '<D:status>HTTP/1.1 200 OK</D:status>'
const LISTING = `<?xml version="1.0"?>
<D:multistatus xmlns:D="DAV:"><!-- c --><D:response>${HREF}<D:propstat><D:prop><D:resourcetype><D:collection/></D:resourcetype>
<D:getlastmodified>Mon, 23 Nov 2026 16:00:00 GMT</D:getlastmodified><D:getcontentlength><![CDATA[7]]></D:getcontentlength></D:prop>${OK}</D:propstat>
<D:propstat><D:prop><x xmlns="urn:x"/></D:prop><D:status>HTTP/1.1 404 Not Found</D:status></D:propstat></D:response>
<D:response><D:href>/g&#x41;&amp;</D:href><D:status>HTTP/1.1 404 Not Found</D:status></D:response></D:multistatus>`

/** What test/fuzz feeds. */
export const fuzzTargets: readonly {
  readonly name: string
  readonly seeds: readonly Uint8Array[]
  readonly decode: (bytes: Uint8Array) => unknown
}[] = [
  {
    name: 'dav-multistatus',
    seeds: [Buffer.from(LISTING)],
    decode: async (bytes) => {
      try {
        await readMultistatus(bytes)
      } catch (cause) {
        // As `Dav` says it.
        if (!(cause instanceof SyntaxError)) throw cause
        throw new SinkError('protocol', cause.message, { sink: 's', cause })
      }
    },
  },
  {
    name: 'dav-challenge',
    seeds: [
      'Digest realm="r\\"x", nonce="n", qop="auth,auth-int", algorithm=SHA-256-sess, opaque="o", stale=true',
      'Basic realm="r", Digest realm="r", nonce="n"',
    ].map((text) => Buffer.from(text)),
    decode: (bytes) => {
      // As long as Node.js lets all headers together be.
      const header = Buffer.from(bytes.subarray(0, 16 * 1024)).toString('latin1')
      const authorization = new Authorization(
        { user: 'u', password: 'p' },
        { mayShowPassword: true, cnonce: 'c' },
      )
      authorization.learn(header, undefined)
      authorization.learn(header, authorization.headerFor('GET', '/a'))
    },
  },
]
