import { createSink } from './driver.ts'
import type { ObjectInfo } from './sink.ts'

/**
 * What a sink lists whose provider decodes it so: for tests of what providers make of answers.
 * @throws what the sink throws
 */
export async function listedThrough(decode: () => Iterable<ObjectInfo>): Promise<readonly ObjectInfo[]> {
  const absent = () => Promise.reject(new Error('this provider lists, and nothing else'))
  const sink = createSink({
    name: 's',
    appendOnly: false,
    upload: absent,
    read: absent,
    head: absent,
    remove: absent,
    async *list() {
      yield* decode()
    },
    toSinkError: (cause) => cause,
  })
  const listed: ObjectInfo[] = []
  for await (const info of sink.list('')) {
    // What is done with each: a date that is none throws here.
    info.storedAt.toISOString()
    listed.push(info)
  }
  return listed
}
