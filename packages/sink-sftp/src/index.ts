export type { SftpLogin } from './sftp-connection.ts'
export { type SftpSinkOptions, sftpSink } from './sftp-sink.ts'
