/**
 * A MySQL or MariaDB database to a disk and an SSH server at once: read once, encrypted once, never on the disk of this machine.
 * A dump that breaks off ends the pipeline, and then neither sink shows anything.
 *
 *     MYSQL_PASSWORD=… node mysql-to-two-sinks.ts PUBLIC-KEY DATABASE /mnt/backup sftp://USER@HOST:PORT/DIRECTORY
 *
 * MYSQL_SOCKET names another socket than the client's own; SSH_IDENTITY the private key, SSH_HOST_KEY the server's (`SHA256:…`).
 */
import { pipeline } from 'node:stream/promises'
import { encrypt } from '@pipe-backup/crypto'
import { localSink } from '@pipe-backup/sink-local'
import { sftpSink } from '@pipe-backup/sink-sftp'
import { mysql } from '@pipe-backup/source-mysql'
import { packTar } from '@pipe-backup/tar'
import { tee } from '@pipe-backup/tee'

const [publicKey = '', database = '', directory = '', address = ''] = process.argv.slice(2)
const { MYSQL_SOCKET: socket, MYSQL_PASSWORD: password, SSH_IDENTITY, SSH_HOST_KEY } = process.env

const disk = localSink({ name: 'disk', path: directory, create: true })
const { hostname: host, port, username: user, pathname: path } = new URL(address)
const login = { user, identity: SSH_IDENTITY, hostKey: SSH_HOST_KEY }
await using server = sftpSink({ name: 'ssh', host, port: Number(port || 22), path, ...login })

await pipeline(
  packTar(mysql({ databases: [database], user: 'backup', password, socket })),
  encrypt(Buffer.from(publicKey, 'hex')),
  tee(
    [disk, server].map((sink) => sink.createWriteStream(`${database}.tar.pb`)),
    { minWriters: 2, names: [disk.name, server.name] },
  ),
)
