import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, test } from 'vitest'

const run = promisify(execFile)
const PRETEND_20 =
  'data:text/javascript,Object.defineProperty(process,"version",{value:"v20.1.0"});Object.defineProperty(process,"versions",{value:{node:"20.1.0"}})'

let root: string
let launcher: string

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'pipe-backup-bin-'))
  launcher = join(root, 'bin', 'pipe-backup.js')
  await cp(new URL('../bin', import.meta.url), join(root, 'bin'), { recursive: true })
  await writeFile(join(root, 'package.json'), '{"type":"module"}')
})

afterEach(async () => await rm(root, { recursive: true }))

/** What a stand-in for the program prints, or how starting it failed. */
async function launch(
  ...nodeOptions: readonly string[]
): Promise<{ code: number; stdout: string; stderr: string }> {
  return await launchWords(nodeOptions, ['some', 'words'])
}

async function launchWords(
  nodeOptions: readonly string[],
  words: readonly string[],
): Promise<{ code: number; stdout: string; stderr: string }> {
  try {
    const { stdout, stderr } = await run(process.execPath, [...nodeOptions, launcher, ...words])
    return { code: 0, stdout, stderr }
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && 'stdout' in error && 'stderr' in error)) throw error
    return { code: Number(error.code), stdout: String(error.stdout), stderr: String(error.stderr) }
  }
}

async function build(program: string): Promise<void> {
  await mkdir(join(root, 'bundle'))
  await writeFile(join(root, 'bundle', 'main.js'), program)
}

const SAY =
  'console.log(process.versions.node.split(".")[0] >= 24, process.argv.slice(2).join(" ")); process.exitCode = 3'

test('with a Node that is new enough the program runs', async () => {
  await build(SAY)
  expect(await launch()).toEqual({ code: 3, stdout: 'true some words\n', stderr: '' })
})

test('where Node does not know where it is, as without /proc, a command runs without its bounds of memory', async () => {
  await build(SAY)
  const lost = 'data:text/javascript,process.execPath="/nowhere/node"'
  const ran = await launchWords(['--import', lost], ['run', 'words'])
  expect(ran).toEqual({ code: 3, stdout: 'true run words\n', stderr: '' })
})

test('with an old Node and no other it is one line that says so', async () => {
  await build(SAY)
  expect(await launch('--import', PRETEND_20)).toEqual({
    code: 1,
    stdout: '',
    stderr: 'pipe-backup: needs Node.js 24 or newer, this is v20.1.0: https://nodejs.org/\n',
  })
})

test("with an old Node the checkout's own runs it, and words and exit code pass through", async () => {
  await build(SAY)
  await withNodePackage('24.1.0')
  expect(await launch('--import', PRETEND_20)).toEqual({ code: 3, stdout: 'true some words\n', stderr: '' })
})

test("with an old Node the program's end by a signal passes through", async () => {
  await build("process.kill(process.pid, 'SIGTERM'); setTimeout(() => {}, 10_000)")
  await withNodePackage('24.1.0')
  await expect(run(process.execPath, ['--import', PRETEND_20, launcher])).rejects.toMatchObject({
    signal: 'SIGTERM',
  })
})

test("a checkout's own Node that is too old is not used", async () => {
  await build(SAY)
  await withNodePackage('22.1.0')
  expect(await launch('--import', PRETEND_20)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('needs Node.js 24'),
  })
})

test('a checkout that has not been built says so', async () => {
  expect(await launch()).toEqual({
    code: 1,
    stdout: '',
    stderr: 'pipe-backup: not built yet: run npm run build\n',
  })
})

async function withNodePackage(version: string): Promise<void> {
  const program = join(root, 'node_modules', 'node', 'bin', 'node')
  await mkdir(dirname(program), { recursive: true })
  await writeFile(
    join(root, 'node_modules', 'node', 'package.json'),
    JSON.stringify({ name: 'node', version }),
  )
  await symlink(process.execPath, program)
}

test('a command that moves data does so in bounded memory, as the same process; any other starts once', async () => {
  // What a process was started with is in its environ file, whatever it has deleted since.
  await build(`
    import { readFileSync } from 'node:fs'
    const started = readFileSync('/proc/self/environ', 'utf8').split('\\0').filter((text) => text.startsWith('MALLOC_')).sort()
    const passedOn = Object.keys(process.env).filter((name) => name.startsWith('MALLOC_'))
    console.log(JSON.stringify([process.execArgv, process.argv.slice(2), process.env.GIVEN, started, passedOn]))`)
  const start = async (...args: string[]) => {
    const { stdout } = await run(process.execPath, ['--conditions=some', launcher, ...args], {
      env: { ...process.env, GIVEN: 'this' },
    })
    return JSON.parse(stdout)
  }
  const bounded = ['--max-semi-space-size=4', '--conditions=some']
  const args = ['--config', 'a b', 'run', '--json']
  const sealing = ['MALLOC_MMAP_THRESHOLD_=4194304', 'MALLOC_TRIM_THRESHOLD_=8388608']
  expect(await start(...args)).toEqual([bounded, args, 'this', sealing, []])
  const opening = ['MALLOC_MMAP_THRESHOLD_=9437184', 'MALLOC_TRIM_THRESHOLD_=67108864']
  expect(await start('restore', 'latest')).toEqual([bounded, ['restore', 'latest'], 'this', opening, []])
  expect(await start('--version')).toEqual([['--conditions=some'], ['--version'], 'this', [], []])
})
