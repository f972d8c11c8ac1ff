export {
  type ApacheFlavour,
  type ApacheServer,
  type DavCollection,
  type DavServer,
  startApache,
} from './apache.ts'
export { giveToApache } from './apache-process.ts'
export { S3_KMS_KEY_ID, type S3Server, startS3 } from './ceph.ts'
export { type ConditionalWrites, startConditionalWrites } from './conditional-writes.ts'
export { type ConnectProxy, startConnectProxy } from './connect-proxy.ts'
export { ensureDebianPackages, missingDebianPackages } from './debian-packages.ts'
export { type DropboxServer, type DropboxServerOptions, startDropbox } from './dropbox/dropbox-server.ts'
export { freePort } from './free-port.ts'
export { type MariadbServer, startMariadb } from './mariadb.ts'
export {
  type NextcloudFault,
  type NextcloudServer,
  type NextcloudSettings,
  startNextcloud,
} from './nextcloud.ts'
export { type PostgresServer, startPostgres } from './postgres.ts'
export { startProftpd } from './proftpd.ts'
export { startRclone } from './rclone.ts'
export { type RsyncDaemon, startRsyncd } from './rsyncd.ts'
export type { S3Store } from './s3-store.ts'
export { startSabreDav } from './sabre-dav.ts'
export { type ServerProcess, startServer } from './server-process.ts'
export { SlowLine } from './slow-line.ts'
export { type ReceivedMail, type SmtpServer, startSmtp } from './smtp.ts'
export { type SshServer, type SshServerOptions, startSshd } from './sshd.ts'
export { SWIFT_PACKAGES, type SwiftServer, startSwift } from './swift.ts'
export { startTamperingProxy, type TamperingProxy } from './tampering-proxy.ts'
export { writeObjects } from './write-objects.ts'
