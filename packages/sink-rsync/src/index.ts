export { rsyncSink } from './rsync-sink.ts'
export type { RsyncSinkOptions } from './rsync-sink-options.ts'
