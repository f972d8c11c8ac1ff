import { execFileSync } from 'node:child_process'
import { linkSync, mkdirSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Makes a tree of everything that a file system can hold and that is easily lost. */
export function makeOddTree(root: string): void {
  const at = (...parts: string[]) => join(root, ...parts)
  mkdirSync(at('d/deep/er'), { recursive: true })
  mkdirSync(at('empty'), { mode: 0o700 })
  writeFileSync(at('zero'), '')
  writeFileSync(at('small'), 'small', { mode: 0o600 })
  writeFileSync(at('d/deep/er/large'), Buffer.alloc(9_000_000, 'large file '))
  writeFileSync(at('d.x'), 'sorts between d and d/')
  writeFileSync(at('d-x'), 'so does this')
  writeFileSync(at('new\nline "quoted" \\ é 🦊'), 'odd name')
  writeFileSync(
    Buffer.concat([Buffer.from(`${root}/latin-`), Buffer.from([0xe9, 0xff])]),
    'name that is not UTF-8',
  )
  writeFileSync(at('setuid'), '#!/bin/sh\n', { mode: 0o755 })
  execFileSync('chmod', ['4755', at('setuid')])
  symlinkSync('small', at('link'))
  symlinkSync('/no/such/place', at('dangling'))
  linkSync(at('small'), at('d/second-name'))
  execFileSync('mkfifo', [at('fifo')])
  if (process.getuid?.() === 0) {
    execFileSync('mknod', [at('device'), 'c', '1', '3'])
    execFileSync('chown', ['1234:5678', at('d/deep')])
  }
  writeFileSync(at('sparse'), 'start')
  truncateSync(at('sparse'), 30_000_000)
  let long = at('long')
  for (let i = 0; i < 15; i++) long = join(long, 'n'.repeat(200))
  mkdirSync(long, { recursive: true })
  writeFileSync(join(long, 'bottom'), 'deep down')
  for (let i = 0; i < 500; i++) writeFileSync(at(`d/many-${i}`), `file number ${i}\n`.repeat(i % 90))
  utimesSync(at('small'), 1_234_567_890, 1_234_567_890)
  // Node takes a number below zero for now.
  utimesSync(at('empty'), new Date(-1_000_000_000), new Date(-1_000_000_000))
}
