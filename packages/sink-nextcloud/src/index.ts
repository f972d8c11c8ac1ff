export { type NextcloudSinkOptions, nextcloudSink } from './nextcloud-sink.ts'
export { type NextcloudPlace, nextcloudPlace } from './server-url.ts'
