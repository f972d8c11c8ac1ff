/**
 * One file of the newest snapshot in a web handler, streamed: no temporary file, and a chunk that one sink has damaged comes from
 * the next. It listens on loopback alone; put what knows your users in front of it.
 *     node restore-over-http.ts PHRASE-FILE PORT /mnt/one /mnt/two
 *     curl --fail -O http://127.0.0.1:PORT/files/home/bot/wallet.json
 */
import { readFileSync } from 'node:fs'
import { createServer, type ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { deriveKeys, masterFromPhrase } from '@pipe-backup/crypto'
import { localSink } from '@pipe-backup/sink-local'
import { listSnapshots, openSnapshot, selectSnapshot } from '@pipe-backup/vault'

const [phraseFile = '', port, ...paths] = process.argv.slice(2)
const keys = await deriveKeys(masterFromPhrase(readFileSync(phraseFile, 'utf8')))
const sinks = paths.map((path, i) => localSink({ name: `sink-${i + 1}`, path }))

async function answer(path: string, response: ServerResponse): Promise<void> {
  const snapshot = selectSnapshot(await listSnapshots({ sinks, keys }), 'latest')
  await using snapshotReader = await openSnapshot({ sinks, keys, snapshot })
  for await (const entry of snapshotReader.entries([Buffer.from(path)])) {
    if (entry.type !== 'file') throw new Error(`${path} is no file`)
    const file = await entry.open()
    await using _ = { [Symbol.asyncDispose]: async () => await file.close() }
    await pipeline(async function* () {
      const piece = Buffer.alloc(256 * 1024)
      for (let length = await file.read(piece); length > 0; length = await file.read(piece))
        yield Buffer.from(piece.subarray(0, length))
    }, response)
  }
}

const server = createServer((request, response) => {
  answer(decodeURIComponent(request.url ?? '').slice(1), response).catch((error: Error) => {
    if (response.headersSent) response.destroy(error)
    else response.writeHead(404).end(`${error.message}\n`)
  })
})
server.listen(Number(port), '127.0.0.1', () => console.log('listening', server.address()))
