import { Transform, Writable } from 'node:stream'
import { type Sink, SinkError } from '@pipe-backup/sink'

/** A sink whose write streams fail when so many bytes have gone into them. */
export function breakingSink(sink: Sink, afterBytes: number): Sink {
  return {
    ...sink,
    createWriteStream(key, options) {
      const into = sink.createWriteStream(key, options)
      let bytes = 0
      return new Writable({
        write(chunk: Uint8Array, encoding, done) {
          bytes += chunk.length
          if (bytes <= afterBytes) into.write(chunk, encoding, done)
          else done(new SinkError('unreachable', 'the line is dead', { sink: sink.name }))
        },
        final: (done) => void into.end(() => done()),
        destroy(error, done) {
          into.destroy()
          done(error)
        },
      })
    },
  }
}

/** A sink whose read streams have some bytes changed, are cut, or fail. */
export function rottenSink(sink: Sink, fault: 'flip' | 'cut' | 'fail', at: number): Sink {
  return {
    ...sink,
    async createReadStream(key, options = {}) {
      if (!key.endsWith('.pb')) return await sink.createReadStream(key, options)
      let position = options.offset ?? 0
      const spoil = new Transform({
        transform(chunk: Uint8Array, _encoding, done) {
          const bytes = Uint8Array.from(chunk)
          const where = at - position
          position += bytes.length
          if (where < 0 || where >= bytes.length) return done(null, bytes)
          if (fault === 'flip') {
            bytes[where] = (bytes[where] ?? 0) ^ 1
            return done(null, bytes)
          }
          this.push(bytes.subarray(0, where))
          if (fault === 'cut') this.push(null)
          else done(new SinkError('unreachable', 'the line is dead', { sink: sink.name }))
        },
      })
      return (await sink.createReadStream(key, options))
        .on('error', (error) => spoil.destroy(error))
        .pipe(spoil)
    },
  }
}
