/** Looks at what would be published, package by package: `node test/e2e/src/lint-packages.ts`. Says what is wrong, and then exits with 1. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { execa } from 'execa'
import { LICENSE, type PackedPackage, packPackages, readPacked } from './packed-packages.ts'

const ROOT = resolve(import.meta.dirname, '../../..')
const ALLOWED =
  /^(package\.json|README\.md|LICENSE|bundle\/LICENSES\.txt|bundle\/pipe-backup\.1|bundle\/ui\/.+\.(html|css|svg)|(bin|bundle|dist|src)\/.+\.(js|ts|js\.map|json))$/
const TESTS = /\.test\.|\/(test-support|fixtures?)\//

interface Manifest {
  readonly [field: string]: unknown
  readonly dependencies?: Readonly<Record<string, string>>
}

interface Package {
  readonly packed: PackedPackage
  readonly manifest: Manifest
}

/** The command's bundle leaves out what npm installs beside it: that must be what our packages depend on, in the same versions. */
function rangesOf(packages: readonly Package[]): ReadonlyMap<string, string> {
  const libraries = packages.filter(({ manifest }) => !('bin' in manifest))
  return new Map(libraries.flatMap(({ manifest }) => Object.entries(manifest.dependencies ?? {})))
}

async function complaints(
  { packed, manifest }: Package,
  ranges: ReadonlyMap<string, string>,
): Promise<string[]> {
  const { name, version, files } = packed
  const found: string[] = []
  const isApp = 'bin' in manifest
  for (const field of ['description', 'keywords', 'license', 'engines', 'type', isApp ? 'bin' : 'exports'])
    if (!(field in manifest)) found.push(`package.json has no ${field}`)
  if (!isApp && manifest['sideEffects'] !== false)
    found.push('package.json does not say that nothing happens at import')
  for (const [dependency, range] of Object.entries(manifest.dependencies ?? {})) {
    if (dependency.startsWith('@pipe-backup-test/'))
      found.push(`depends on ${dependency}, which is not published`)
    if (dependency.startsWith('@pipe-backup/') && range !== `^${version}`)
      found.push(`wants ${dependency} ${range}: it is ${version}`)
    if (isApp && range !== ranges.get(dependency))
      found.push(`wants ${dependency} ${range}: the packages in its bundle want ${ranges.get(dependency)}`)
  }
  if (!files.includes('LICENSE')) found.push('has no LICENSE')
  else if ((await readPacked(packed, 'LICENSE')) !== LICENSE.trimEnd())
    found.push('has another LICENSE than the repository')
  if (!files.includes('README.md')) found.push('has no README.md')
  else if (!(await readPacked(packed, 'README.md')).startsWith(`# ${name}\n`))
    found.push('README.md does not begin with its name')
  for (const file of files) {
    if (!ALLOWED.test(file) || TESTS.test(file)) found.push(`${file} is not for publishing`)
    const built = /^src\/(.*)\.ts$/.exec(file)?.[1]
    for (const extension of built === undefined ? [] : ['js', 'd.ts'])
      if (!files.includes(`dist/${built}.${extension}`))
        found.push(`dist/${built}.${extension} is missing: npm run build`)
  }
  const { stdout: all } = await execa('tar', ['-xzOf', packed.tarball], { maxBuffer: 1 << 28 })
  if (all.includes(ROOT)) found.push(`names ${ROOT}`)
  const { exitCode, stdout } = await execa('publint', ['run', packed.tarball, '--strict'], {
    preferLocal: true,
    localDir: ROOT,
    reject: false,
  })
  if (exitCode !== 0) found.push(...stdout.split('\n').filter((line) => /^\d+\. /.test(line)))
  return found.map((text) => `${name}: ${text}`)
}

const directory = mkdtempSync(join(tmpdir(), 'pipe-backup-packed-'))
try {
  const packages: Package[] = []
  for (const packed of await packPackages(directory))
    packages.push({ packed, manifest: JSON.parse(await readPacked(packed, 'package.json')) as Manifest })
  const ranges = rangesOf(packages)
  const found: string[] = []
  // Two at once, as many as the smallest machine has processors.
  for (let i = 0; i < packages.length; i += 2)
    found.push(...(await Promise.all(packages.slice(i, i + 2).map((one) => complaints(one, ranges)))).flat())
  for (const text of found) process.stderr.write(`${text}\n`)
  process.stdout.write(`${packages.length} packages looked at, ${found.length} complaints\n`)
  if (found.length > 0) process.exitCode = 1
} finally {
  rmSync(directory, { recursive: true, force: true })
}
