export type { Credentials } from './authorization.ts'
// For sinks of servers that are more than WebDAV.
export { Dav, type DavEntry, type DavOptions } from './dav.ts'
export { type DavPlace, type DavSinkOptions, davSink, type UnsettledMove } from './dav-sink.ts'
export { finish, type HttpAnswer, HttpClient, type HttpClientOptions } from './http-client.ts'
export { damaged, readBack } from './read-back.ts'
export type { Uploads, UploadTo } from './uploads.ts'
export { checkCredentials, findBase, type WebdavSinkOptions, webdavSink } from './webdav-sink.ts'
