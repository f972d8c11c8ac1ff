import { mkdirSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type PackedPackage, packPackages, readPacked } from './packed-packages.ts'
import { Sandbox } from './sandbox.ts'

const ROOT = resolve(import.meta.dirname, '../../..')

let project: Sandbox
let packages: PackedPackage[]

// As somebody would install them who has no checkout: ours from files, what they depend on from the registry.
beforeAll(async () => {
  project = new Sandbox()
  mkdirSync(project.path('packed'))
  packages = await packPackages(project.path('packed'))
  writeFileSync(project.path('package.json'), '{ "private": true }')
  const tarballs = packages.map(({ tarball }) => tarball)
  await execa(
    'npm',
    ['install', '--no-audit', '--no-fund', '--prefer-offline', '--ignore-scripts', ...tarballs],
    {
      cwd: project.root,
    },
  )
}, 300_000)
afterAll(() => project[Symbol.dispose]())

test('there is a package for every part', () => {
  expect(packages.map(({ name }) => name)).toEqual(
    expect.arrayContaining([
      'pipe-backup',
      '@pipe-backup/vault',
      '@pipe-backup/sink-local',
      '@pipe-backup/tar',
    ]),
  )
})

test('each package that was installed from its tarball imports, alone, and says nothing', async () => {
  for (const packed of packages) {
    const manifest = JSON.parse(await readPacked(packed, 'package.json')) as { exports?: object }
    if (!manifest.exports) continue
    const { all } = await execa(
      process.execPath,
      ['--input-type=module', '--eval', `await import('${packed.name}')`],
      { cwd: project.root, all: true },
    )
    expect(all, packed.name).toBe('')
  }
})

test('the command that was installed from its tarball runs', async () => {
  const { stdout } = await execa(project.path('node_modules/.bin/pipe-backup'), ['--version'], {
    cwd: project.root,
  })
  expect(stdout).toBe(packages.find(({ name }) => name === 'pipe-backup')?.version)
})

test('no package brought a second copy of another', async () => {
  const { stdout } = await execa('npm', ['ls', '--all', '--parseable'], { cwd: project.root })
  const ours = stdout
    .split('\n')
    .filter((path) => /node_modules\/(@pipe-backup\/[^/]+|pipe-backup)$/.test(path))
  expect(ours).toHaveLength(packages.length)
})

test("npx in the checkout runs the checkout's command", async () => {
  const { stdout } = await execa('npx', ['--no', '--', 'pipe-backup', '--version'], { cwd: ROOT })
  expect(stdout).toBe(packages.find(({ name }) => name === 'pipe-backup')?.version)
})
