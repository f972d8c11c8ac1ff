import type { ObjectInfo } from './sink.ts'
import { SinkError } from './sink-error.ts'

/**
 * What a provider says of an object, when its size and its time can be: servers leave them out, and dates that are none compare with nothing.
 * @throws SinkError `protocol`
 */
export function checkInfo(info: ObjectInfo, sink: string): ObjectInfo {
  const { key, sizeBytes, storedAt } = info
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0)
    throw new SinkError('protocol', 'is listed without a size that can be', { sink, key })
  if (Number.isNaN(storedAt.getTime()))
    throw new SinkError('protocol', 'is listed without a time that can be', { sink, key })
  return info
}
