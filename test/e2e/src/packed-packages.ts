import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { execa } from 'execa'

const ROOT = resolve(import.meta.dirname, '../../..')

/** What `npm publish` would send. */
export interface PackedPackage {
  readonly name: string
  readonly version: string
  readonly tarball: string
  /** Paths in the package. */
  readonly files: readonly string[]
}

interface PackReport {
  readonly name: string
  readonly version: string
  readonly filename: string
  readonly files: readonly { readonly path: string }[]
}

/** Packs every package of this repository that is published into a directory. */
export async function packPackages(directory: string): Promise<PackedPackage[]> {
  const { stdout } = await execa(
    'npm',
    [
      'pack',
      '-w',
      'packages',
      '-w',
      'pipe-backup',
      '--json',
      '--ignore-scripts',
      '--pack-destination',
      directory,
    ],
    { cwd: ROOT, stderr: 'ignore' },
  )
  const parsed = JSON.parse(stdout) as Record<string, PackReport> | PackReport[]
  return Object.values(parsed).map(({ name, version, filename, files }) => ({
    name,
    version,
    tarball: join(directory, filename),
    files: files.map(({ path }) => path),
  }))
}

/** One file of a packed package. */
export async function readPacked({ tarball }: PackedPackage, path: string): Promise<string> {
  return (await execa('tar', ['-xzOf', tarball, `package/${path}`])).stdout
}

/** The licence that every package carries a copy of: npm publishes only what is in the package's own directory. */
export const LICENSE: string = readFileSync(join(ROOT, 'LICENSE'), 'utf8')
