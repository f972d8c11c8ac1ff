import { spawn } from 'node:child_process'
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'
import { expect, onTestFinished, test } from 'vitest'
import { Sandbox } from './sandbox.ts'

/** A sandbox with one tree, backed up by a source of these options. */
async function withTree(
  options: object,
  make: (tree: string) => void,
): Promise<{ sandbox: Sandbox; tree: string }> {
  const sandbox = new Sandbox()
  onTestFinished(() => sandbox[Symbol.dispose]())
  const tree = sandbox.path('tree')
  mkdirSync(tree)
  make(tree)
  sandbox.configure({
    sources: [{ type: 'files', name: 'tree', paths: [tree], ...options }],
    sinks: sandbox.sinks('one'),
  })
  await sandbox.ok(['init', '--phrase-out', 'phrase'])
  return { sandbox, tree }
}

/** Paths below the tree in the latest snapshot. */
async function listed(sandbox: Sandbox, tree: string): Promise<string[]> {
  // Not `ok`: of a source that is incomplete the exit code says so.
  const { out } = await sandbox.run(['ls', 'latest', `tree${tree}`, '--json', '--phrase-file', 'phrase'])
  const paths = out
    .toString()
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { path: string }).path)
  return paths.map((path) => path.slice(`tree${tree}/`.length)).filter((path) => path !== '')
}

const MAIN = join(import.meta.dirname, '../../../apps/pipe-backup/bin/pipe-backup.js')

/** Runs `pipe-backup run` under another program. */
function runUnder(
  sandbox: Sandbox,
  program: string,
  args: string[],
): Promise<{ exitCode?: number; stdout: string; stderr: string }> {
  return execa(program, args, {
    cwd: sandbox.root,
    env: {
      XDG_CONFIG_HOME: sandbox.path('home/config'),
      XDG_STATE_HOME: sandbox.path('home/state'),
      TERM: 'xterm',
    },
    stdin: 'ignore',
    reject: false,
  })
}

test('exclude patterns and directories marked as caches are left out', async () => {
  const { sandbox, tree } = await withTree(
    { exclude: ['*.log', '!keep.log', '/build/', 'a/**/tmp'] },
    (root) => {
      for (const directory of ['a/b/tmp', 'build', 'c/build', 'cache'])
        mkdirSync(join(root, directory), { recursive: true })
      for (const file of ['x.log', 'keep.log', 'a/b/tmp/t', 'build/o', 'c/build/o', 'cache/big'])
        writeFileSync(join(root, file), file)
      writeFileSync(
        join(root, 'cache/CACHEDIR.TAG'),
        'Signature: 8a477f597d28d172789f06886806bc55\n# made by a test\n',
      )
    },
  )
  await sandbox.ok(['run'])
  expect(await listed(sandbox, tree)).toEqual([
    'a',
    'a/b',
    'c',
    'c/build',
    'c/build/o',
    'cache',
    'cache/CACHEDIR.TAG',
    'keep.log',
  ])
})

test('a socket is skipped with a note, and that is no problem', async () => {
  const { sandbox, tree } = await withTree({}, (root) => writeFileSync(join(root, 'file'), 'x'))
  const server = createServer().listen(join(tree, 'socket'))
  onTestFinished(() => void server.close())
  const { code, err } = await sandbox.run(['run', '--verbose'])
  expect({ code, noted: err.includes('socket') }).toEqual({ code: 0, noted: true })
  expect(await listed(sandbox, tree)).toEqual(['file'])
})

test('a file that can not be read is named, the rest goes on, and the exit code is 3', async () => {
  const { sandbox, tree } = await withTree({}, (root) => {
    for (const name of ['a', 'b', 'c']) writeFileSync(join(root, name), name)
    chmodSync(join(root, 'b'), 0)
  })
  // Root reads everything; without its capabilities it is a user like others.
  const { exitCode, stderr } = await runUnder(sandbox, 'setpriv', [
    '--bounding-set=-all',
    process.execPath,
    MAIN,
    'run',
  ])
  expect({ exitCode, named: stderr.split(join(tree, 'b').slice(1)).length - 1 }).toEqual({
    exitCode: 3,
    named: 1,
  })
  expect(await listed(sandbox, tree)).toEqual(['a', 'c'])
})

test('a live directory whose files are replaced all the time is caught as one state of it, with settle', async () => {
  const { sandbox, tree } = await withTree({ settle: 100 }, (root) => {
    for (let i = 0; i < 3000; i++) writeFileSync(join(root, `static-${i}`), 'x')
  })
  // As LevelDB does: a new table, then CURRENT names it, then the old one goes. It stops when it is reported to, so that a pass can see no change.
  const writer = spawn(process.execPath, ['--input-type=module', '--eval', WRITER, tree], {
    stdio: ['pipe', 'ignore', 'inherit'],
  })
  const stopped = new Promise((resolve) => writer.once('exit', resolve))
  onTestFinished(() => void writer.kill('SIGKILL'))
  while (!readdirSync(tree).includes('CURRENT')) await sleep(10)
  const running = sandbox.run(['run'])
  await sleep(1000)
  writer.stdin.end()
  await stopped
  const { code } = await running
  await sandbox.ok(['restore', 'latest', '--phrase-file', 'phrase', '--to', 'out'])
  const restored = sandbox.path('out/tree', tree)
  const current = readFileSync(join(restored, 'CURRENT'), 'utf8')
  const tables = readdirSync(restored).filter((name) => name.endsWith('.ldb'))
  expect({ code, tables, content: readFileSync(join(restored, current), 'utf8') }).toEqual({
    code: 0,
    tables: [current],
    content: current.repeat(1000),
  })
})

const WRITER = `
import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
process.chdir(process.argv[1])
let ended = false
process.stdin.on('end', () => (ended = true)).resume()
for (let n = 1, last; !ended; n++) {
  const name = String(n).padStart(6, '0') + '.ldb'
  writeFileSync(name, name.repeat(1000))
  writeFileSync('CURRENT.new', name)
  renameSync('CURRENT.new', 'CURRENT')
  if (last) rmSync(last)
  last = name
  await setImmediate()
}
`

test('what is piped in is stored, and comes back by cat', async () => {
  const { sandbox } = await withTree({}, () => undefined)
  const bytes = Buffer.from(Array.from({ length: 3_000_000 }, (_, i) => (i * i) % 251))
  await sandbox.ok(['run', '--stdin', 'database/shop.sql'], { input: bytes })
  const out = await sandbox.ok(['cat', 'latest', 'database/shop.sql', '--phrase-file', 'phrase'])
  expect(out.equals(bytes)).toBe(true)
})

test('a program that fails is a failed source: the others are backed up, and the run says so', async () => {
  const { sandbox, tree } = await withTree({}, (root) => writeFileSync(join(root, 'file'), 'x'))
  sandbox.configure({
    sources: [
      { type: 'files', name: 'tree', paths: [tree] },
      {
        type: 'command',
        name: 'bad',
        run: ['sh', '-c', 'echo half; echo no such table >&2; exit 3'],
        path: 'dump',
      },
    ],
    sinks: sandbox.sinks('one'),
  })
  const { code, err } = await sandbox.run(['run'])
  expect({ code, reported: /exited with 3.*no such table/.test(err) }).toEqual({ code: 3, reported: true })
  const held = await sandbox.run(['cat', 'latest', 'bad/dump', '--phrase-file', 'phrase'])
  expect(held.code).not.toBe(0)
  expect(await listed(sandbox, tree)).toEqual(['file'])
})

test('on a terminal the run shows its progress; under cron it is silent', async () => {
  const { sandbox, tree } = await withTree({}, (root) => {
    writeFileSync(join(root, 'file'), Buffer.alloc(50_000_000, 'abc '))
    writeFileSync(join(root, 'other'), '')
  })
  // script(1) gives it a pseudo-terminal.
  const command = `${process.execPath} ${MAIN} run`
  const { stdout } = await runUnder(sandbox, 'script', [
    '--quiet',
    '--return',
    '--command',
    command,
    '/dev/null',
  ])
  const shown = {
    progress: stdout.includes('\r'),
    sink: stdout.includes('one'),
    done: stdout.includes('snapshot'),
  }
  expect(shown).toEqual({ progress: true, sink: true, done: true })
  rmSync(join(tree, 'file'))
  const { code, err } = await sandbox.run(['run', '--quiet'])
  expect({ code, err }).toEqual({ code: 0, err: '' })
})

test('a dump that has lost nearly all it had is warned of, once', async () => {
  using sandbox = new Sandbox()
  sandbox.configure({
    sources: [{ type: 'command', name: 'dump', run: ['cat', sandbox.path('rows')], path: 'dump.sql' }],
    sinks: sandbox.sinks('one'),
  })
  await sandbox.ok(['init', '--phrase-out', 'phrase'])
  const said: string[] = []
  for (const bytes of [50_000, 6_000, 500, 500]) {
    writeFileSync(sandbox.path('rows'), 'r'.repeat(bytes))
    const { code, err } = await sandbox.run(['run'])
    said.push(`${code} ${err.trim()}`)
  }
  const warning = 'warning: source "dump": only 500 B, where 5.9 KiB were before'
  expect(said).toEqual(['0 ', '0 ', `0 ${warning}`, '0 '])
})
