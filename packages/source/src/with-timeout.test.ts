import { expect, test } from 'vitest'
import { describeSource } from './conformance.ts'
import type { Entry, EntryReader, FileEntry } from './entry.ts'
import type { ReadContext, Source } from './source.ts'
import { withTimeout } from './with-timeout.ts'

const metadata = { mode: 0o644, uid: 0, gid: 0, user: 'root', group: 'root', mtimeNs: -5n }
const never = <T>() => new Promise<T>(() => undefined)
const CONTENT = Buffer.from('0123456789'.repeat(1_000))

function bytesReader(): EntryReader {
  let at = 0
  return {
    read: (into) => {
      const got = CONTENT.copy(into, 0, at)
      at += got
      return at % 2 === 0 ? got : Promise.resolve(got)
    },
    finish: async () => ({ steady: true, mtimeNs: metadata.mtimeNs }),
    close: () => undefined,
  }
}

function file(path: string, more: Partial<FileEntry> = {}): FileEntry {
  return {
    ...metadata,
    type: 'file',
    path: Buffer.from(path),
    size: CONTENT.length,
    open: bytesReader,
    ...more,
  }
}

function source(entries: (context: ReadContext) => AsyncIterable<Entry>): Source {
  return withTimeout({ name: 'memory', entries: (context = {}) => entries(context) }, { silentMs: 30 })
}

describeSource('with a timeout', {
  make: () =>
    source(async function* ({ signal }) {
      for (const path of ['a', 'b/c', 'd']) {
        signal?.throwIfAborted()
        yield file(path)
      }
    }),
})

async function readAll(from: Source, pauseMs = 0): Promise<string[]> {
  const names: string[] = []
  for await (const entry of from.entries()) {
    names.push(Buffer.from(entry.path).toString())
    await new Promise((resolve) => setTimeout(resolve, pauseMs))
    if (entry.type !== 'file') continue
    const reader = await entry.open()
    try {
      while ((await reader.read(Buffer.alloc(4000))) > 0)
        await new Promise((resolve) => setTimeout(resolve, pauseMs))
      await reader.finish()
    } finally {
      await reader.close()
    }
  }
  return names
}

const HANGING: Record<string, (context: ReadContext) => AsyncIterable<Entry>> = {
  'the walk': async function* () {
    yield file('a')
    await never()
  },
  'the opening of a file': async function* () {
    yield file('a', { open: never })
  },
  'a read': async function* () {
    yield file('a', { open: () => ({ ...bytesReader(), read: never, close: never }) })
  },
  'the end of a file': async function* () {
    yield file('a', { open: () => ({ ...bytesReader(), finish: never, close: never }) })
  },
}

test.for(Object.entries(HANGING))(
  'when %s hangs the source has failed, and is asked to stop',
  async ([, hang]) => {
    let reported: unknown
    const hanging = source((context) => {
      context.signal?.addEventListener('abort', () => {
        reported = context.signal?.reason
      })
      return hang(context)
    })
    await expect(readAll(hanging)).rejects.toMatchObject({ name: 'SourceError', code: 'timeout' })
    expect(reported).toMatchObject({ code: 'timeout' })
  },
)

test('who reads may take any time', async () => {
  const patient = source(async function* () {
    yield file('a')
    yield file('b')
  })
  expect(await readAll(patient, 60)).toEqual(['a', 'b'])
})

test('metadata that moves on when a file is opened is seen', async () => {
  const replaced: FileEntry & { mode: number } = file('a', {
    open: () => {
      replaced.mode = 0o600
      return bytesReader()
    },
  })
  for await (const entry of source(async function* () {
    yield replaced
  }).entries()) {
    if (entry.type === 'file') await entry.open()
    expect({ ...entry }.mode).toBe(0o600)
  }
})
