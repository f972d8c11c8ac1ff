import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describeSink } from '@pipe-backup/sink/conformance'
import { afterAll } from 'vitest'
import { localSink } from './local-sink.ts'

const root = mkdtempSync(join(tmpdir(), 'sink-local-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))
let places = 0

writeFileSync(join(root, 'file'), '')

describeSink('local', {
  open: () => localSink({ name: 'disk', path: join(root, `place-${++places}`), create: true }),
  broken: {
    'a directory that is not there': {
      open: () => localSink({ name: 'disk', path: join(root, 'unmounted') }),
      code: 'unreachable',
    },
    'a file in the place of the directory': {
      open: () => localSink({ name: 'disk', path: join(root, 'file') }),
      code: 'protocol',
    },
  },
})
