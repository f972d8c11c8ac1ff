/**
 * Builds a Debian package and a tarball for each processor: `build-packages.ts [--cpu x64] [--out DIRECTORY]`. The same checkout gives the same
 * bytes: times are SOURCE_DATE_EPOCH, or that of the last commit.
 */
import { chmod, copyFile, cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { execa } from 'execa'
import { CPUS, type Cpu, makeProgramTree, ROOT } from './program-tree.ts'
import { launcher, writeSharedFiles } from './shared-files.ts'

const DEBIAN: Readonly<Record<Cpu, string>> = { x64: 'amd64', arm64: 'arm64' }

const { values } = parseArgs({
  options: { cpu: { type: 'string', multiple: true }, out: { type: 'string' } },
})
const out = values.out ?? join(ROOT, 'dist')
const wanted = CPUS.filter((cpu) => values.cpu === undefined || values.cpu.includes(cpu))
if (wanted.length === 0) throw new Error(`--cpu is one of ${CPUS.join(', ')}`)
const epoch =
  process.env['SOURCE_DATE_EPOCH'] ??
  (await execa('git', ['log', '-1', '--format=%ct'], { cwd: ROOT })).stdout
const { version } = JSON.parse(await readFile(join(ROOT, 'apps/pipe-backup/package.json'), 'utf8')) as {
  readonly version: string
}

await mkdir(out, { recursive: true })
for (const cpu of wanted) {
  const work = await mkdtemp(join(tmpdir(), 'pipe-backup-package-'))
  try {
    const program = join(work, 'program')
    await makeProgramTree(program, work, cpu)
    for (const file of [await makeDeb(program, work, cpu), await makeTarball(program, work, cpu)])
      process.stdout.write(`${file}\n`)
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

async function makeDeb(program: string, work: string, cpu: Cpu): Promise<string> {
  const root = join(work, 'deb')
  const doc = join(root, 'usr/share/doc/pipe-backup')
  for (const directory of ['DEBIAN', 'etc/pipe-backup', 'usr/bin', 'usr/share/doc/pipe-backup'])
    await mkdir(join(root, directory), { recursive: true })
  await cp(program, join(root, 'usr/lib/pipe-backup'), { recursive: true })
  await writeFile(join(root, 'usr/bin/pipe-backup'), launcher('../lib/pipe-backup'))
  await writeSharedFiles(join(root, 'usr'))
  await copyFile(join(ROOT, 'LICENSE'), join(doc, 'copyright'))
  const { stdout: size } = await execa('du', ['-sk', '--apparent-size', join(root, 'usr')])
  await writeFile(
    join(root, 'DEBIAN/control'),
    `Package: pipe-backup
Version: ${version}
Architecture: ${DEBIAN[cpu]}
Maintainer: pipe-backup maintainers <maintainers@users.noreply.github.com>
Installed-Size: ${size.split('\t')[0]}
Depends: libc6 (>= 2.28), libgcc-s1, libstdc++6 (>= 8)
Suggests: openssh-client, rsync, rclone, default-mysql-client
Section: admin
Priority: optional
Description: encrypted, deduplicating backups to several places at once
 Reads files and databases once, encrypts them before they leave the machine,
 and stores them on any number of sinks. It brings its own Node.js.
`,
  )
  await normalise(root)
  await chmod(join(root, 'usr/bin/pipe-backup'), 0o755)
  await chmod(join(root, 'usr/lib/pipe-backup/node'), 0o755)
  const file = join(out, `pipe-backup_${version}_${DEBIAN[cpu]}.deb`)
  await execa('dpkg-deb', ['--root-owner-group', '-Zxz', '-z1', '--build', root, file], {
    env: { SOURCE_DATE_EPOCH: epoch },
  })
  return file
}

async function makeTarball(program: string, work: string, cpu: Cpu): Promise<string> {
  const name = `pipe-backup-${version}-linux-${cpu}`
  const root = join(work, name)
  await cp(program, join(root, 'lib/pipe-backup'), { recursive: true })
  await mkdir(join(root, 'bin'))
  await writeFile(join(root, 'bin/pipe-backup'), launcher('../lib/pipe-backup'))
  await writeSharedFiles(root)
  await normalise(root)
  await chmod(join(root, 'bin/pipe-backup'), 0o755)
  await chmod(join(root, 'lib/pipe-backup/node'), 0o755)
  const file = join(out, `${name}.tar.gz`)
  const owner = ['--owner=0', '--group=0', '--numeric-owner']
  // gzip as GNU tar calls it writes neither a name nor a time.
  await execa('tar', [
    '--sort=name',
    '--format=ustar',
    `--mtime=@${epoch}`,
    ...owner,
    '-czf',
    file,
    '-C',
    work,
    name,
  ])
  return file
}

/** The umask, and what npm has unpacked with which modes, must not be seen. dpkg clamps times to the epoch: none may be before it. */
async function normalise(root: string): Promise<void> {
  await execa('chmod', ['-R', 'u=rwX,go=rX', root])
  await execa('find', [root, '-type', 'f', '-exec', 'chmod', '0644', '{}', '+'])
  await execa('find', [root, '-exec', 'touch', '--no-dereference', `--date=@${epoch}`, '{}', '+'])
}
