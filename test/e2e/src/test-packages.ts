/**
 * Builds the packages for installation twice, installs each in a bare directory, and uses it there as an ordinary user, those of arm64 by QEMU:
 * `npm run test:packages`, as root on Debian. Takes some six minutes, which is why `npm test` has no part in it.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { execa } from 'execa'
import { addForeignSystem } from './debian-root.ts'
import { useInstalled } from './use-installed.ts'

const ROOT = resolve(import.meta.dirname, '../../..')
const BUILD = join(ROOT, 'apps/pipe-backup/src/packaging/build-packages.ts')
const USER = 12_345
/** What an ELF file of each processor has at byte 18. */
const MACHINES = { amd64: 62, arm64: 183 } as const

const work = mkdtempSync(join(tmpdir(), 'pipe-backup-packages-'))
try {
  const files = await build('first')
  await sameAgain(files)
  for (const file of files) await lookInto(file)
  for (const file of files) await use(file)
} finally {
  rmSync(work, { recursive: true, force: true })
}

async function build(name: string, ...args: readonly string[]): Promise<string[]> {
  const out = join(work, name)
  const words = ['--conditions=pipe-backup-src', BUILD, '--out', out, ...args]
  const { stdout } = await execa(process.execPath, words, { env: { SOURCE_DATE_EPOCH: '1790000000' } })
  return stdout.split('\n')
}

async function sameAgain(files: readonly string[]): Promise<void> {
  const digest = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex')
  for (const again of await build('second', '--cpu', 'x64')) {
    const first = again.replace('/second/', '/first/')
    assert(files.includes(first))
    assert.equal(digest(again), digest(first), `${again} was built with other bytes the second time`)
  }
  report('the same bytes when built again')
}

/** Processor, owners, and what systemd, man and the shells find. */
async function lookInto(file: string): Promise<void> {
  const architecture = /arm64/.test(file) ? 'arm64' : 'amd64'
  const root = await unpack(file)
  const prefix = file.endsWith('.deb') ? 'usr' : 'opt/pipe-backup'
  const program = join(root, prefix, 'lib/pipe-backup')
  const addons = readdirSync(program, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.node'),
  )
  assert(addons.length > 0)
  for (const name of ['node', ...addons])
    assert.equal(readFileSync(join(program, name)).readUInt16LE(18), MACHINES[architecture], name)
  for (const name of [
    'share/man/man1/pipe-backup.1.gz',
    'share/bash-completion/completions/pipe-backup',
    'share/fish/vendor_completions.d/pipe-backup.fish',
    'share/zsh/vendor-completions/_pipe-backup',
    'lib/systemd/system/pipe-backup@.service',
    'lib/systemd/system/pipe-backup@.timer',
  ])
    assert(readFileSync(join(root, prefix, name)).length > 100, name)
  if (file.endsWith('.deb')) {
    const { stdout } = await execa('dpkg-deb', ['--contents', file])
    const odd = stdout
      .split('\n')
      .filter((line) => !/^[-dl]rw[x-]r-[x-]r-[x-] root\/root /.test(line) && !line.startsWith('l'))
    assert.deepEqual(odd, [])
    const field = await execa('dpkg-deb', ['--field', file, 'Architecture'])
    assert.equal(field.stdout, architecture)
    await unitsAreValid(root)
  }
  rmSync(root, { recursive: true })
  report(`${file.split('/').at(-1)}: complete, of ${architecture}`)
}

async function unitsAreValid(root: string): Promise<void> {
  const units = join(root, 'usr/lib/systemd/system')
  const service = readFileSync(join(units, 'pipe-backup@.service'), 'utf8')
  // The program that it starts is in the package, not on this machine.
  writeFileSync(join(units, 'pipe-backup@.service'), service.replaceAll('/usr/bin/pipe-backup', '/bin/true'))
  const names = ['service', 'timer'].map((kind) => join(units, `pipe-backup@.${kind}`))
  const { all } = await execa('systemd-analyze', ['verify', '--man=no', ...names], {
    all: true,
    reject: false,
  })
  assert.deepEqual(
    all.split('\n').filter((line) => line.includes('pipe-backup')),
    [],
  )
}

/** @returns a directory that has the package where it belongs: the tarball in /opt */
async function unpack(file: string): Promise<string> {
  const root = mkdtempSync(join(work, 'root-'))
  chmodSync(root, 0o755)
  if (file.endsWith('.deb')) {
    await execa('dpkg-deb', ['-x', file, root])
    return root
  }
  mkdirSync(join(root, 'opt/pipe-backup'), { recursive: true })
  await execa('tar', ['-xzf', file, '--strip-components=1', '-C', join(root, 'opt/pipe-backup')])
  return root
}

/** Backs up, verifies and restores in a root that has nothing but a shell, the libraries that Node.js needs, and the package. */
async function use(file: string): Promise<void> {
  const root = await unpack(file)
  const isDeb = file.endsWith('.deb')
  if (/arm64/.test(file)) await addForeignSystem(root, 'arm64')
  else await addLibraries(root, isDeb ? 'usr/lib/pipe-backup/node' : 'opt/pipe-backup/lib/pipe-backup/node')
  if (!isDeb) {
    mkdirSync(join(root, 'usr/bin'), { recursive: true })
    symlinkSync('/opt/pipe-backup/bin/pipe-backup', join(root, 'usr/bin/pipe-backup'))
  }
  mkdirSync(join(root, 'tmp'), { recursive: true, mode: 0o1777 })
  await useInstalled(join(root, 'home/user'), USER, async (args) => {
    const script = 'cd /home/user && exec pipe-backup "$@"'
    const env = { PATH: '/usr/bin:/bin', HOME: '/home/user' }
    const words = [`--userspec=${USER}:${USER}`, root, '/bin/sh', '-c', script, 'sh', ...args]
    const options = { env, extendEnv: false, stdin: 'ignore' } as const
    return (await execa('/usr/sbin/chroot', words, options)).stdout
  })
  rmSync(root, { recursive: true })
  report(`${file.split('/').at(-1)}: backs up, verifies and restores in a bare root, as an ordinary user`)
}

async function addLibraries(root: string, node: string): Promise<void> {
  const programs = ['/bin/sh', '/usr/bin/readlink']
  const { stdout } = await execa('ldd', [...programs, join(root, node)])
  const libraries = stdout.match(/(?<=\s)\/\S+(?= \(0x)/g) ?? []
  for (const path of new Set([...programs, ...libraries])) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    copyFileSync(path, join(root, path))
  }
  mkdirSync(join(root, 'dev'))
  await execa('mknod', ['-m', '666', join(root, 'dev/null'), 'c', '1', '3'])
  await execa('mknod', ['-m', '666', join(root, 'dev/urandom'), 'c', '1', '9'])
}

function report(line: string): void {
  process.stdout.write(`${line}\n`)
}
