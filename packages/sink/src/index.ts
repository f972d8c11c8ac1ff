export { checkKey, isKey } from './check-key.ts'
export type { ObjectInfo, PutOptions, ReadOptions, Sink, SinkOptions, SinkTraits } from './sink.ts'
export { SinkError, type SinkErrorCode, type SinkErrorOptions } from './sink-error.ts'
