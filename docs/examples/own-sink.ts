/** A sink of one's own: objects as rows of an SQLite file. `createSink` does what all sinks share (keys, ranges, streams, signals),
 * a provider stores bytes, and own-sink.test.ts has it pass the suite that every sink of this project passes. */
import { DatabaseSync } from 'node:sqlite'
import { Readable } from 'node:stream'
import * as kit from '@pipe-backup/sink'

export function sqliteSink(sink: string, file: string): kit.Sink {
  const db = new DatabaseSync(file)
  db.exec('CREATE TABLE IF NOT EXISTS objects (key TEXT PRIMARY KEY, stored INTEGER, bytes BLOB)')
  const find = db.prepare('SELECT key, stored, length(bytes) AS size FROM objects WHERE key GLOB ?')
  const cut = db.prepare('SELECT substr(bytes, ?, ?) AS bytes FROM objects WHERE key = ?')
  const drop = db.prepare('DELETE FROM objects WHERE key = ?')
  const list = (pattern: string): kit.ObjectInfo[] =>
    find.all(pattern).map(({ key, stored, size }) => {
      return { key: String(key), storedAt: new Date(Number(stored)), sizeBytes: Number(size) }
    })
  const fail = (code: kit.SinkErrorCode, why: string, key = '') => new kit.SinkError(code, why, { sink, key })
  const provider: kit.SinkProvider = {
    name: sink,
    appendOnly: false,
    head: async (key) => list(key)[0],
    async upload(key, body, { ifAbsent }) {
      const parts = await Array.fromAsync(body.pieces(), (piece) => Buffer.from(piece))
      const put = db.prepare(`INSERT OR ${ifAbsent ? 'IGNORE' : 'REPLACE'} INTO objects VALUES (?, ?, ?)`)
      if (put.run(key, Date.now(), Buffer.concat(parts)).changes === 0) throw fail('exists', 'is there', key)
    },
    async read(key, range) {
      const there = list(key)[0]?.sizeBytes
      if (there === undefined) throw fail('not-found', 'is not there', key)
      const sizeBytes = kit.rangeLength(there, range, { sink, key })
      const { bytes } = cut.get((range.offset ?? 0) + 1, sizeBytes, key) ?? {}
      return { sizeBytes, pieces: kit.pieces(bytes instanceof Uint8Array ? bytes : Buffer.alloc(0)) }
    },
    list: (folder) => Readable.from(list(folder === '' ? '*' : `${folder}/*`)),
    remove: (keys, options) => kit.removeEach(provider, keys, async (key) => void drop.run(key), options),
    toSinkError: (e, key) => (e instanceof kit.SinkError ? e : fail('protocol', String(e), key)),
  }
  return kit.createSink(provider)
}
