import assert from 'node:assert/strict'
import { comparePaths } from '../compare-paths.ts'
import type { Entry } from '../entry.ts'
import type { Source } from '../source.ts'
import { assertMetadata, assertPath, pathKey, shownPath } from './entry-form.ts'
import { eachFile, entriesOf, outlineOf, readFile, someFile } from './read-source.ts'

/** Reading byte by byte is slow where each is a system call: after so many the steps grow. */
const SINGLE_BYTES = 2_000

type Check = (make: () => Source | Promise<Source>) => Promise<void>

/** What every source promises, and how to find out: each check rejects when its promise is broken. */
export const promises: Readonly<Record<string, Check>> = {
  'it has a name, and a number of times to settle': async (make) => {
    const { name, settle = 0 } = await make()
    assert.notEqual(name, '')
    assert.ok(Number.isSafeInteger(settle) && settle >= 0, `settle is ${settle}`)
  },

  'entries come in walk order, each path once': async (make) => {
    let before: Uint8Array | undefined
    for (const { path } of await entriesOf(await make())) {
      if (before) assert.ok(comparePaths(before, path) < 0, `${shownPath(path)} after ${shownPath(before)}`)
      before = path
    }
  },

  'paths are relative and normal': async (make) => {
    for (const { path } of await entriesOf(await make())) assertPath(path)
  },

  'what an entry is in is a directory': async (make) => {
    const types = new Map<string, Entry['type']>()
    for (const { path, type } of await entriesOf(await make())) {
      const key = pathKey(path)
      // The directories above what was asked for have no entries.
      const parent = types.get(key.slice(0, Math.max(0, key.lastIndexOf('/')))) ?? 'directory'
      assert.equal(parent, 'directory', `${shownPath(path)} is in a ${parent}`)
      types.set(key, type)
    }
  },

  'metadata is of its form': async (make) => {
    for (const entry of await entriesOf(await make())) assertMetadata(entry)
  },

  'a hard link names a file that came earlier': async (make) => {
    const files = new Set<string>()
    for (const entry of await entriesOf(await make())) {
      if (entry.type === 'file') files.add(pathKey(entry.path))
      if (entry.type !== 'hardlink') continue
      assert.ok(
        files.has(pathKey(entry.linkTo)),
        `${shownPath(entry.path)} links to ${shownPath(entry.linkTo)}`,
      )
    }
  },

  'it can be read again, and gives the same entries': async (make) => {
    const source = await make()
    const first = await outlineOf(source)
    assert.deepEqual(await outlineOf(source), first)
  },

  'a reading that is left early does not hinder the next': async (make) => {
    const source = await make()
    for await (const entry of source.entries({ onProblem: () => undefined })) {
      assertPath(entry.path)
      break
    }
    assert.notDeepEqual(await outlineOf(source), [])
  },

  'a file is as long as its entry says': async (make) => {
    await eachFile(await make(), async (file) => {
      const { bytes } = await readFile(file)
      assert.equal(bytes.length, file.size ?? bytes.length, shownPath(file.path))
    })
  },

  'a file that stays as it is reads as steady': async (make) => {
    await eachFile(await make(), async (file) => {
      const { end } = await readFile(file)
      assert.ok(end.steady, shownPath(file.path))
      assert.equal(typeof end.mtimeNs, 'bigint')
    })
  },

  'a file opened again gives the same bytes from its start': async (make) => {
    await eachFile(await make(), async (file) => {
      const { bytes } = await readFile(file)
      assert.ok(bytes.equals((await readFile(file)).bytes), shownPath(file.path))
    })
  },

  'bytes are the same one at a time': async (make) => {
    await someFile(await make(), async (file) => {
      const { bytes } = await readFile(file)
      const slow = await readFile(file, {
        room: (taken) => (taken < SINGLE_BYTES ? 1 : 4_093 + (taken % 97)),
      })
      assert.ok(bytes.equals(slow.bytes), shownPath(file.path))
    })
  },

  'read() fills from the start, and touches nothing behind what it gave': async (make) => {
    await someFile(await make(), async (file) => {
      const { bytes } = await readFile(file)
      const reader = await file.open()
      try {
        const room = Buffer.alloc(bytes.length + 4_096, 0xa5)
        const got = await reader.read(room)
        assert.ok(got >= 1 && got <= bytes.length, `read() gave ${got} of ${bytes.length}`)
        assert.ok(room.subarray(0, got).equals(bytes.subarray(0, got)), 'other bytes than before')
        assert.ok(
          room.subarray(got).every((byte) => byte === 0xa5),
          'wrote behind what it gave',
        )
      } finally {
        await reader.close()
      }
    })
  },

  'read() keeps nothing of the memory it was lent': async (make) => {
    await someFile(await make(), async (file) => {
      const { bytes } = await readFile(file)
      const corrupt = await readFile(file, { room: () => 257, afterwards: (into) => into.fill(0xff) })
      assert.ok(bytes.equals(corrupt.bytes), shownPath(file.path))
    })
  },

  'at the end read() gives 0, however often it is asked': async (make) => {
    await someFile(await make(), async (file) => {
      const reader = await file.open()
      try {
        const room = new Uint8Array(64 * 1024)
        while ((await reader.read(room)) > 0);
        assert.equal(await reader.read(room), 0)
        await reader.finish()
      } finally {
        await reader.close()
      }
    })
  },

  'close() gives up at any time, twice, and after finish()': async (make) => {
    await someFile(await make(), async (file) => {
      const unread = await file.open()
      await unread.close()
      await unread.close()

      const halfway = await file.open()
      await halfway.read(new Uint8Array(1))
      await halfway.close()

      const { bytes, reader } = await readFile(file)
      await reader.close()
      assert.ok(bytes.equals((await readFile(file)).bytes), 'other bytes after close()')
    })
  },

  'a signal that has fired stops it before the first entry, with its reason': async (make) => {
    const reason = new Error('stopped by the test')
    const reading = outlineOf(await make(), AbortSignal.abort(reason))
    await assert.rejects(reading, (error) => error === reason)
  },

  'a signal that fires after an entry stops it there, with its reason': async (make) => {
    const source = await make()
    const { length } = await entriesOf(source)
    for (const last of new Set([1, Math.ceil(length / 2)])) {
      const { seen, error, reason } = await readUntil(source, last)
      assert.equal(seen, last, 'entries came after the signal')
      // After the very last entry there is nothing to stop: to end well is right too.
      if (last < length || error !== undefined) assert.equal(error, reason)
    }
  },
}

/** Reads, and fires the signal at the `last`-th entry. */
async function readUntil(
  source: Source,
  last: number,
): Promise<{ seen: number; error: unknown; reason: Error }> {
  const reason = new Error('stopped by the test')
  const controller = new AbortController()
  let seen = 0
  try {
    for await (const entry of source.entries({ signal: controller.signal, onProblem: () => undefined })) {
      assertPath(entry.path)
      if (++seen === last) controller.abort(reason)
    }
    return { seen, error: undefined, reason }
  } catch (error) {
    return { seen, error, reason }
  }
}
