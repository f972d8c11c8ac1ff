// Writes below DIRECTORY/work, and to DIRECTORY/done what it was told is done: `durable-writes-child.ts DIRECTORY NAME`.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { localSink } from '@pipe-backup/sink-local'
import { writeStateFile } from '@pipe-backup/vault'
import { restoreInto } from './restore-in-parts.ts'

const [disk = '', name = ''] = process.argv.slice(2)
const work = join(disk, 'work')
const done = (what: string): void => writeFileSync(join(disk, 'done', what), '')

const PROGRAMS: Readonly<Record<string, () => Promise<void>>> = {
  'state file': () => writeStateFile(join(work, 'file.json'), 'new'),
  object: async () => {
    // A process was killed that had made these.
    mkdirSync(join(work, 'packs/ab'), { recursive: true })
    const sink = localSink({ name: 'sink', path: work })
    const store = async (key: string): Promise<void> => {
      await sink.put(key, Buffer.from(`bytes of ${key}`))
      done(key.replaceAll('/', '_'))
    }
    await store('packs/ab/first')
    await Promise.all(['x', 'y', 'z'].map((one) => store(`packs/cd/${one}`)))
    await store('index/one')
  },
  restore: () => restoreInto(work),
}
await PROGRAMS[name]?.()
