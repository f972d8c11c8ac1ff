import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from './measure.ts'

/** One encrypted tar, streamed to three places at once, and back. */
export interface PlainPipe {
  readonly name: string
  readonly send: Command
  readonly receive: Command
  /** The first place, for its size. */
  readonly stored: string
}

export const TAR_AGE_TEE = 'tar, age, tee'

/** What people put together by hand. What it writes is on the disks when it ends, as with `send`. */
export function tarAgeTee(data: string, work: string): PlainPipe {
  const home = join(work, 'tar-age-tee')
  rmSync(home, { recursive: true, force: true })
  const places = ['one', 'two', 'three'].map((name) => join(home, name))
  for (const place of places) mkdirSync(place, { recursive: true })
  const key = join(home, 'key')
  execFileSync('age-keygen', ['-o', key], { stdio: 'pipe' })
  const recipient = execFileSync('age-keygen', ['-y', key], { encoding: 'utf8' }).trim()
  const [one, two, three] = places.map((place) => join(place, 'data.tar.age'))
  const shell = (script: string): Command => ({ file: 'bash', args: ['-o', 'pipefail', '-c', script] })
  return {
    name: TAR_AGE_TEE,
    send: shell(
      `tar -c ${data} | age -r ${recipient} | tee ${one} ${two} > ${three} && sync ${one} ${two} ${three}`,
    ),
    receive: shell(`age -d -i ${key} ${one} > /dev/null`),
    stored: places[0] ?? home,
  }
}
