import { globSync } from 'node:fs'
import { chmod, copyFile, cp, mkdir, readFile, rm } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { execa } from 'execa'

export const ROOT: string = resolve(import.meta.dirname, '../../../..')

/** As npm calls processors. */
export const CPUS = ['x64', 'arm64'] as const
export type Cpu = (typeof CPUS)[number]

/**
 * Makes the directory that the program needs to run by itself: `bin`, `bundle`, the packages that the lock file says, and `node`.
 * The checkout must have been built. What is downloaded is proven by the hashes of the lock file, and Node.js, which it
 * has no hash of, by the registry's.
 * @param directory - is made, and must not be there
 * @param work - a directory for what is in between
 */
export async function makeProgramTree(directory: string, work: string, cpu: Cpu): Promise<void> {
  await mkdir(directory, { recursive: true })
  await unpackProgram(directory, work)
  await installDependencies(directory, work, cpu)
  await addNode(directory, work, cpu)
}

/** What `npm publish` would send. */
async function unpackProgram(directory: string, work: string): Promise<void> {
  const pack = ['pack', '-w', 'pipe-backup', '--ignore-scripts', '--silent', '--pack-destination', work]
  const { stdout } = await execa('npm', pack, { cwd: ROOT })
  await execa('tar', ['-xzf', join(work, stdout.trim()), '--strip-components=1', '-C', directory])
}

/** By the lock file, which is for the whole workspace: npm wants to see all its manifests. */
async function installDependencies(directory: string, work: string, cpu: Cpu): Promise<void> {
  const copy = join(work, 'workspace')
  const manifests = ['package.json', 'package-lock.json', '{packages,apps,test}/*/package.json']
  for (const file of manifests.flatMap((pattern) => globSync(pattern, { cwd: ROOT }))) {
    await mkdir(dirname(join(copy, file)), { recursive: true })
    await copyFile(join(ROOT, file), join(copy, file))
  }
  const platform = ['--os=linux', '--libc=glibc', `--cpu=${cpu}`]
  const quietly = ['--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline', '--silent']
  await execa('npm', ['ci', '-w', 'pipe-backup', '--omit=dev', ...platform, ...quietly], { cwd: copy })
  const modules = join(directory, 'node_modules')
  await cp(join(copy, 'node_modules'), modules, { recursive: true, verbatimSymlinks: true })
  // Links to the workspace's own packages, which are in the bundle, and to programs of dependencies, which nobody calls.
  for (const name of ['.bin', '.package-lock.json', 'pipe-backup', '@pipe-backup', '@pipe-backup-test'])
    await rm(join(modules, name), { recursive: true, force: true })
}

/** The same Node.js that the tests run on. */
async function addNode(directory: string, work: string, cpu: Cpu): Promise<void> {
  const manifest: unknown = JSON.parse(await readFile(join(ROOT, 'node_modules/node/package.json'), 'utf8'))
  const version =
    typeof manifest === 'object' && manifest !== null && 'version' in manifest && manifest.version
  const wanted = `node-linux-${cpu}@${String(version)}`
  const { stdout } = await execa('npm', ['pack', wanted, '--silent', '--pack-destination', work], {
    cwd: work,
  })
  const unpacked = join(work, 'node')
  await mkdir(unpacked)
  await execa('tar', ['-xzf', join(work, stdout.trim()), '--strip-components=1', '-C', unpacked])
  await copyFile(join(unpacked, 'bin/node'), join(directory, 'node'))
  await chmod(join(directory, 'node'), 0o755)
  await copyFile(join(unpacked, 'LICENSE'), join(directory, 'node.LICENSE'))
}
