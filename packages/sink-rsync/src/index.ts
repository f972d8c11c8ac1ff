export { type RsyncSinkOptions, rsyncSink } from './rsync-sink.ts'
export type { SshLogin } from './ssh-connection.ts'
