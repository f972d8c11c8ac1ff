import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Sink } from '@pipe-backup/sink'
import { s3Sink } from '../s3-sink.ts'

const LISTING = `<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><Prefix/><KeyCount>1</KeyCount><MaxKeys>1000</MaxKeys>
<EncodingType>url</EncodingType><IsTruncated>false</IsTruncated><Contents><Key>packs%2Fab/abcd</Key><LastModified>2026-11-23T10:00:00.000Z</LastModified>
<ETag>&quot;ab&quot;</ETag><Size>12</Size></Contents></ListBucketResult>`
const ERROR = `<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>NoSuchBucket</Code><Message>The bucket does not exist</Message><Region>eu-west-1</Region><RequestId>1</RequestId></Error>`

/** What the server answers next. */
let answer: Uint8Array = new Uint8Array()
let sink: Sink | undefined

/** The SDK decodes what comes over a connection, so there is a server, of whatever the fuzzer wants to be said. */
async function open(): Promise<Sink> {
  const server: Server = createServer((request, response) => {
    request.resume()
    const [status = 0] = answer
    response.writeHead(200 + (status % 4) * 100 + (status >> 4), { 'content-type': 'application/xml' })
    response.end(answer.subarray(1))
  })
  server.unref()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return s3Sink({ name: 's', endpoint, bucket: 'b', accessKeyId: 'a', secretAccessKey: 's', region: 'r' })
}

/** What test/fuzz feeds. */
export const fuzzTargets: readonly {
  readonly name: string
  readonly seeds: readonly Uint8Array[]
  readonly decode: (bytes: Uint8Array) => unknown
}[] = [
  {
    name: 's3-answer',
    // The status, and the body.
    seeds: [Buffer.from(`\u0000${LISTING}`), Buffer.from(`\u0042${ERROR}`), Buffer.from(`\u0032${ERROR}`)],
    decode: async (bytes) => {
      answer = bytes
      sink ??= await open()
      for await (const { storedAt } of sink.list('')) storedAt.toISOString()
    },
  },
]
