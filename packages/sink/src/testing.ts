export { type Fault, faultySink, type SinkRequest } from './faulty-sink.ts'
export { type MemorySink, memorySink } from './memory-sink.ts'
