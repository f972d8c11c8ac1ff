export { CLOSED, Connections, type ConnectionsOptions } from './connections.ts'
export { type ContentRange, parseContentRange, sizeBehind } from './content-range.ts'
export { exchange, finish, type HttpBody, type HttpRequest, readBody } from './exchange.ts'
export {
  type FailureCode,
  type FailureMeaning,
  isPassing,
  networkMeaning,
  retryAfterOf,
  statusMeaning,
} from './failure-meaning.ts'
