import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ensureDebianPackages } from '@pipe-backup-test/services'
import { execa } from 'execa'

const RELEASE = 'trixie'
/** Where the kernel learns which program runs those of another processor. */
const BINFMT = '/proc/sys/fs/binfmt_misc'
const QEMU = { arm64: 'qemu-aarch64' } as const

/** The smallest Debian, as it is in an image that is called slim, made in a directory. */
export async function makeDebianRoot(directory: string): Promise<void> {
  ensureDebianPackages(['debootstrap'])
  await execa('debootstrap', ['--variant=minbase', RELEASE, directory])
}

/** Adds the files of the smallest Debian of another processor to a directory, nothing of it set up, and lets the kernel run its programs by QEMU. */
export async function addForeignSystem(directory: string, architecture: keyof typeof QEMU): Promise<void> {
  ensureDebianPackages(['debootstrap', 'qemu-user-static'])
  const system = `${directory}.system`
  try {
    await execa('debootstrap', ['--foreign', '--variant=minbase', `--arch=${architecture}`, RELEASE, system])
    // The first of debootstrap's two steps unpacks some of what it brought.
    const packages = join(system, 'var/cache/apt/archives')
    await execa('cp', ['--archive', '--no-target-directory', system, directory])
    for (const name of readdirSync(packages).filter((file) => file.endsWith('.deb')))
      await execa('sh', [
        '-c',
        'dpkg-deb --fsys-tarfile "$1" | tar -x --keep-directory-symlink -C "$2"',
        'sh',
        join(packages, name),
        directory,
      ])
  } finally {
    rmSync(system, { recursive: true, force: true })
  }
  await registerQemu(QEMU[architecture])
}

/** Debian's package does it through systemd, which a container has not. */
async function registerQemu(name: string): Promise<void> {
  if (existsSync(join(BINFMT, name))) return
  mkdirSync(BINFMT, { recursive: true })
  if (!existsSync(join(BINFMT, 'register')))
    await execa('mount', ['-t', 'binfmt_misc', 'binfmt_misc', BINFMT])
  writeFileSync(join(BINFMT, 'register'), readFileSync(`/usr/lib/binfmt.d/${name}.conf`))
}
