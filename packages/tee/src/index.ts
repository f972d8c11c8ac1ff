export {
  type FanOut,
  type FanOutOptions,
  type FanOutResult,
  type FanOutWriter,
  fanOut,
  TooFewWritersError,
} from './fan-out.ts'
export { type TeeOptions, tee } from './tee.ts'
