/**
 * Builds the image of docs/kubernetes by buildah, and uses it as the user that it names: `npm run test:image`, as root on Debian. Its base is
 * made from Debian's packages, for which no registry of images is asked. Takes some six minutes, which is why `npm test` has no part in it.
 */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { ensureDebianPackages } from '@pipe-backup-test/services'
import { execa } from 'execa'
import { makeDebianRoot } from './debian-root.ts'
import { useInstalled } from './use-installed.ts'

const ROOT = resolve(import.meta.dirname, '../../..')
const BUILD = join(ROOT, 'apps/pipe-backup/src/packaging/build-packages.ts')
const FILE = join(ROOT, 'docs/kubernetes/Containerfile')
const BASE = 'docker.io/library/debian:13-slim'
const CLIENTS = 'mariadb-client postgresql-client rsync openssh-client'
/** As the Containerfile has it. */
const USER = 10_001

ensureDebianPackages(['buildah'])
const work = mkdtempSync(join(tmpdir(), 'pipe-backup-image-'))
try {
  const built = join(work, 'dist')
  await execa(process.execPath, ['--conditions=pipe-backup-src', BUILD, '--out', built, '--cpu', 'x64'])
  await makeBase()
  for (const clients of ['', CLIENTS]) await use(await build(built, clients), clients)
} finally {
  rmSync(work, { recursive: true, force: true })
}

async function buildah(...args: readonly string[]): Promise<string> {
  const storage = ['--root', join(work, 'images'), '--runroot', join(work, 'running'), '--storage-driver=vfs']
  // In a container that may make none itself, too.
  const { stdout } = await execa('buildah', [...storage, ...args], {
    env: { BUILDAH_ISOLATION: 'chroot' },
    stdin: 'ignore',
  })
  return stdout
}

/** Nothing is signed here: nothing comes from outside. */
function policy(): string {
  const path = join(work, 'policy.json')
  writeFileSync(path, JSON.stringify({ default: [{ type: 'insecureAcceptAnything' }] }))
  return `--signature-policy=${path}`
}

async function makeBase(): Promise<void> {
  const root = join(work, 'debian')
  await makeDebianRoot(root)
  const container = await buildah('from', policy(), 'scratch')
  await buildah('add', container, root, '/')
  await buildah('commit', policy(), '--rm', container, BASE)
  rmSync(root, { recursive: true })
}

async function build(context: string, clients: string): Promise<string> {
  const name = clients === '' ? 'plain' : 'clients'
  await buildah(
    'bud',
    policy(),
    '--pull-never',
    '--file',
    FILE,
    '--build-arg',
    `CLIENTS=${clients}`,
    '--tag',
    name,
    context,
  )
  return `localhost/${name}`
}

async function use(image: string, clients: string): Promise<void> {
  const home = join(work, `home-${image.split('/').at(-1)}`)
  mkdirSync(home)
  const container = await buildah('from', policy(), '--pull-never', image)
  const run = (...words: readonly string[]): Promise<string> =>
    buildah('run', '--volume', `${home}:/home/user`, '--workingdir', '/home/user', container, '--', ...words)
  assert.equal(await run('id', '--user'), String(USER))
  await useInstalled(home, USER, (args) => run('pipe-backup', ...args))
  // ssh does not even say its version to a user without a name.
  if (clients !== '')
    for (const program of ['ssh -V', 'rsync --version', 'mariadb-dump --version', 'pg_dump --version'])
      await run(...program.split(' '))
  await buildah('rm', container)
  const what = clients === '' ? '' : `, as do ${clients}`
  process.stdout.write(`${image}: backs up, verifies and restores as user ${USER}${what}\n`)
}
