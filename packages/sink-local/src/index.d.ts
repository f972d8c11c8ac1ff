export { type LocalSinkOptions, localSink } from './local-sink.ts';
