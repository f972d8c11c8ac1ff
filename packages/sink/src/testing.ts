export { type Fault, type FaultySinkOptions, faultySink, type SinkRequest } from './faulty-sink.ts'
export {
  FAULT_KINDS,
  type FaultKind,
  type InjectedSink,
  type Injection,
  injectFault,
} from './inject-fault.ts'
export { listedThrough } from './listed-through.ts'
export { type MemorySink, memorySink } from './memory-sink.ts'
