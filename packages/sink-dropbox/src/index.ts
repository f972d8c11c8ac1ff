export { dropboxSink } from './dropbox-sink.ts'
export { type DropboxLogin, type DropboxLoginOptions, dropboxLogin } from './login.ts'
export type { DropboxSinkOptions } from './options.ts'
