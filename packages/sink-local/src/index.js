export { localSink } from './local-sink.js';
//# sourceMappingURL=index.js.map