/**
 * The plain pipe: directory | tar | encrypt | S3. Nothing of it is ever on disk, and memory stays the same whatever the size.
 * The machine needs the public key alone: what it has sent, it can't read.
 *
 *     node plain-pipe.ts PUBLIC-KEY DIRECTORY s3://BUCKET       # PUBLIC-KEY: 64 hex digits, as `pipe-backup key generate` prints them
 *     node plain-pipe.ts PUBLIC-KEY DIRECTORY /mnt/backup       # the same program; its test takes a directory as the sink
 */
import { pipeline } from 'node:stream/promises'
import { encrypt } from '@pipe-backup/crypto'
import { localSink } from '@pipe-backup/sink-local'
import { s3Sink } from '@pipe-backup/sink-s3'
import { files } from '@pipe-backup/source-files'
import { packTar } from '@pipe-backup/tar'

const [publicKey = '', directory = '', place = ''] = process.argv.slice(2)

await using sink = place.startsWith('s3://')
  ? s3Sink({ name: 's3', bucket: place.slice('s3://'.length) })
  : localSink({ name: 'disk', path: place, create: true })

// The object appears when the last byte has arrived and was checked; a pipeline that fails leaves nothing.
await pipeline(
  packTar(files([directory])),
  encrypt(Buffer.from(publicKey, 'hex')),
  sink.createWriteStream('files.tar.pb'),
)
