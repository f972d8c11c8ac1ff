/**
 * Makes a release of the changesets that wait: `npm run version-packages`. All packages get the same version, by `changeset version`; their texts go into
 * docs/CHANGELOG.md, the version into the documents that name files of it and into package-lock.json. Look at the difference, and commit it.
 */
import { globSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { addRelease, parseChangeset } from './changelog.ts'
import { ROOT } from './program-tree.ts'

const CHANGELOG = join(ROOT, 'docs/CHANGELOG.md')
/** They name the packages' files. */
const NAMING = ['README.md', 'docs/install.md']
const run = { cwd: ROOT, preferLocal: true, localDir: ROOT, stderr: 'inherit' } as const

async function release(): Promise<string> {
  const files = globSync('.changeset/*.md', { cwd: ROOT }).toSorted()
  if (files.length === 0) throw new Error('no changeset waits for a release: `npx changeset` makes one')
  const changes = await Promise.all(
    files.map(async (file) => parseChangeset(await readFile(join(ROOT, file), 'utf8'), file)),
  )
  const before = await version()
  await execa('changeset', ['version'], run)
  const now = await version()
  const date = new Date().toISOString().slice(0, 10)
  await writeFile(CHANGELOG, addRelease(await readFile(CHANGELOG, 'utf8'), { version: now, date, changes }))
  for (const document of NAMING) {
    const text = await readFile(join(ROOT, document), 'utf8')
    const named = text.replaceAll(`pipe-backup_${before}_`, `pipe-backup_${now}_`)
    await writeFile(join(ROOT, document), named.replaceAll(`pipe-backup-${before}-`, `pipe-backup-${now}-`))
  }
  await execa('npm', ['install', '--package-lock-only', '--no-audit', '--no-fund'], run)
  return `${before} -> ${now}: ${changes.length} changes\n`
}

async function version(): Promise<string> {
  const text = await readFile(join(ROOT, 'apps/pipe-backup/package.json'), 'utf8')
  const manifest = JSON.parse(text) as { readonly version: string }
  return manifest.version
}

try {
  process.stdout.write(await release())
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}
