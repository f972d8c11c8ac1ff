#!/usr/bin/env node
// Plain JavaScript that Node 20 can run: whoever starts this with an older Node must get a sentence, not a stack.
import { spawn } from 'node:child_process'
import { accessSync, constants, existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const NEEDED = 24
/**
 * Of glibc, in bytes: pieces of memory of the first size on are given back to the system when they are freed, and leave no holes between
 * what stays; and from the second on what is free at the end of its heap. Memory that is given back costs a page fault for each 4 KiB when it
 * is needed again: chunks are kept by what seals them, and packs, too, by what opens them.
 */
const SEALING = { MALLOC_MMAP_THRESHOLD_: String(4 * 2 ** 20), MALLOC_TRIM_THRESHOLD_: String(8 * 2 ** 20) }
const OPENING = { MALLOC_MMAP_THRESHOLD_: String(9 * 2 ** 20), MALLOC_TRIM_THRESHOLD_: String(64 * 2 ** 20) }
/** By command: those that move data. */
const BOUNDS = new Map([
  ...['run', 'scheduled', 'daemon', 'send'].map((name) => [name, SEALING]),
  ...['restore', 'cat', 'verify', 'heal', 'prune', 'receive'].map((name) => [name, OPENING]),
])
const main = new URL('../bundle/main.js', import.meta.url)

if (!existsSync(main)) fail('not built yet: run npm run build')
else if (majorOf(process.versions.node) >= NEEDED) {
  boundMemory()
  await import(main.href)
} else {
  const newer = findNewerNode()
  if (newer === undefined)
    fail(`needs Node.js ${NEEDED} or newer, this is ${process.version}: https://nodejs.org/`)
  else runWith(newer)
}

function majorOf(version) {
  return Number(version.split('.')[0])
}

/**
 * Left alone, V8 lets the part of the heap for what is new grow by some 150 MiB beyond what is of use here, and glibc keeps some 60 MiB
 * between what is in use. Both are to be set before the start. This process becomes another, with the same id: it takes some 25 ms.
 */
function boundMemory() {
  const bounds = BOUNDS.get(process.argv.slice(2).find((word) => BOUNDS.has(word)))
  const isBound = [...process.execArgv, process.env['NODE_OPTIONS'] ?? ''].some((text) =>
    text.includes('--max-semi-space-size'),
  )
  // For this process alone: not for the programs that it starts.
  for (const [name, value] of Object.entries((isBound && bounds) || {}))
    if (process.env[name] === value) delete process.env[name]
  // Windows has nothing of the kind.
  if (isBound || !bounds || !process.execve || process.platform === 'win32' || !isProgram(process.execPath))
    return
  const args = [process.argv0, '--max-semi-space-size=4', ...process.execArgv, ...process.argv.slice(1)]
  process.execve(process.execPath, args, { ...bounds, ...process.env })
}

/** Where there is no /proc, Node.js does not know where it is; and an execve that fails is the end. */
function isProgram(path) {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** The `node` package, which a checkout has among its dependencies, holds the right one. */
function findNewerNode() {
  try {
    const manifest = createRequire(import.meta.url).resolve('node/package.json')
    if (majorOf(JSON.parse(readFileSync(manifest, 'utf8')).version) < NEEDED) return undefined
    const program = join(dirname(manifest), 'bin', 'node')
    return existsSync(program) ? program : undefined
  } catch {
    return undefined
  }
}

function runWith(program) {
  const child = spawn(program, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: 'inherit',
  })
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP']
  const passOn = (signal) => child.kill(signal)
  for (const signal of signals) process.on(signal, passOn)
  child.once('error', (error) => fail(`can't run ${program}: ${error.message}`))
  child.once('exit', (code, signal) => {
    for (const name of signals) process.off(name, passOn)
    if (signal === null) process.exitCode = code
    else process.kill(process.pid, signal)
  })
}

function fail(message) {
  process.stderr.write(`pipe-backup: ${message}\n`)
  process.exitCode = 1
}
