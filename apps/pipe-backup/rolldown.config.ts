import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { defineConfig, type Plugin } from 'rolldown'

/**
 * The command in few files: Node spends most of a short command's time on finding and opening modules, some 500 of them when each is a
 * file. What package.json has as `dependencies` is left out: programs in other languages, and what is loaded only when it is used.
 */
const manifest = JSON.parse(readFileSync(join(import.meta.dirname, 'package.json'), 'utf8')) as {
  readonly version: string
  readonly dependencies: Readonly<Record<string, string>>
}
const UI = join(import.meta.dirname, '../ui')
const PAGE = join(UI, 'dist/page')
const installed = Object.keys(manifest.dependencies)

export default defineConfig({
  cwd: import.meta.dirname,
  input: {
    main: 'src/main.ts',
    'seal-worker': '../../packages/vault/src/seal/seal-worker.ts',
    'write-worker': '../../packages/extract/src/write-worker.ts',
    'open-worker': '../../packages/vault/src/restore/open-worker.ts',
    'copy-worker': '../../packages/source-sqlite/src/copy-worker.ts',
  },
  platform: 'node',
  external: installed.map((name) => new RegExp(`^${name}(/|$)`)),
  resolve: {
    // From source: a build of the other packages need not be there.
    conditionNames: ['pipe-backup-src', 'node', 'import', 'default'],
    // Some packages say in `module` where their ES modules are.
    mainFields: ['module', 'main'],
  },
  plugins: [page(), manual(), licences()],
  output: { dir: 'bundle', format: 'esm', cleanDir: true },
})

/** The page that `ui` serves, as the build of apps/ui has made it. */
function page(): Plugin {
  return {
    name: 'page',
    generateBundle() {
      for (const file of readdirSync(PAGE, { recursive: true, withFileTypes: true })) {
        if (!file.isFile()) continue
        const path = join(file.parentPath, file.name)
        this.emitFile({
          type: 'asset',
          fileName: join('ui', relative(PAGE, path)),
          source: readFileSync(path),
        })
      }
    },
  }
}

/** The manual page, made of the help. */
function manual(): Plugin {
  const script = join(import.meta.dirname, 'src/man/write-man-page.ts')
  return {
    name: 'manual',
    generateBundle() {
      const source = execFileSync(process.execPath, [
        '--conditions=pipe-backup-src',
        script,
        manifest.version,
      ])
      this.emitFile({ type: 'asset', fileName: 'pipe-backup.1', source })
    },
  }
}

/** What is in the page and not ours. */
function pageLibraries(): string[] {
  const { dependencies } = JSON.parse(readFileSync(join(UI, 'package.json'), 'utf8')) as typeof manifest
  return Object.keys(dependencies).map((name) => join(UI, '../../node_modules', name))
}

/** Writes the licences of what is in the bundle and not ours: they ask to be passed on with it. */
function licences(): Plugin {
  return {
    name: 'licences',
    generateBundle(_, bundle) {
      const modules = Object.values(bundle).flatMap((file) => (file.type === 'chunk' ? file.moduleIds : []))
      const directories = [
        ...modules.flatMap((id) => /^.*\/node_modules\/(@[^/]+\/)?[^/]+/.exec(id)?.[0] ?? []),
        ...pageLibraries(),
      ]
      const texts = [...new Set(directories)].sort().map((directory) => {
        const file = readdirSync(directory).find((name) => /^licen[cs]e/i.test(name))
        if (file === undefined) throw new Error(`${directory} has no licence that could be passed on`)
        const { name, version } = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as {
          readonly name: string
          readonly version: string
        }
        return `${name} ${version}\n\n${readFileSync(join(directory, file), 'utf8').trim()}\n`
      })
      this.emitFile({
        type: 'asset',
        fileName: 'LICENSES.txt',
        source: texts.join(`\n${'-'.repeat(80)}\n\n`),
      })
    },
  }
}
