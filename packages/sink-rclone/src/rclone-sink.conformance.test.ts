import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describeSink } from '@pipe-backup/sink/conformance'
import { writeObjects } from '@pipe-backup-test/services'
import { afterAll } from 'vitest'
import { rcloneSink } from './rclone-sink.ts'

const root = mkdtempSync(join(tmpdir(), 'sink-rclone-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))
const config = join(root, 'rclone.conf')
writeFileSync(
  config,
  '[disk]\ntype = local\n\n[gone]\ntype = webdav\nurl = http://127.0.0.1:9/\nvendor = other\n',
)
let places = 0
const place = (): string => {
  const path = join(root, `place-${++places}`)
  mkdirSync(path)
  return path
}

describeSink('rclone, a directory', {
  open: () => rcloneSink({ name: 'any', remote: `disk:${place()}`, config }),
  openWith: (objects) => {
    const path = place()
    writeObjects(path, objects)
    return rcloneSink({ name: 'any', remote: `disk:${path}`, config })
  },
  // rclone deletes what is there before it moves another object in its place.
  replacesInTwoSteps: true,
  // Each put is five programs.
  listed: 30,
  broken: {
    'a remote that rclone does not know': {
      open: () => rcloneSink({ name: 'any', remote: 'nothing:x', config }),
      code: 'protocol',
    },
    'a server that is not there': {
      open: () => rcloneSink({ name: 'any', remote: 'gone:x', config }),
      code: 'unreachable',
    },
    'a program that is not there': {
      open: () =>
        rcloneSink({ name: 'any', remote: `disk:${place()}`, config, program: '/nonexistent/rclone' }),
      code: 'protocol',
    },
  },
})
