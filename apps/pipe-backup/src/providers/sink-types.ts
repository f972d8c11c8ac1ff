// The types of sink that this program knows: a new provider is one line.
export { dropbox } from './dropbox/sink.ts'
export { local } from './local-sink.ts'
export { nextcloud } from './nextcloud-sink.ts'
export { rclone } from './rclone-sink.ts'
export { rsync } from './rsync-sink.ts'
export { s3 } from './s3-sink.ts'
export { sftp } from './sftp-sink.ts'
export { webdav } from './webdav-sink.ts'
