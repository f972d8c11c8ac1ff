import { globSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { refuseSharedLocations } from '../providers/shared-locations.ts'
import { crossCheckedConfig } from './load-config.ts'
import { resolvePath } from './resolve-path.ts'
import { parseYaml } from './yaml-document.ts'

// Every YAML block of the documents is a configuration, or a part of one: each is checked as `config check` does it, which reaches no server.

const ROOT = resolve(import.meta.dirname, '../../../..')
const DOCUMENTS = ['README.md', 'docs/**/*.md', '{packages,apps}/*/README.md'].flatMap((pattern) =>
  globSync(pattern, { cwd: ROOT }),
)
const BLOCKS = DOCUMENTS.flatMap((document) =>
  [...readFileSync(join(ROOT, document), 'utf8').matchAll(/^```ya?ml\n([^]*?)^```/gm)].map(
    ([, yaml = ''], index) => ({ where: `${document}, block ${index + 1}`, yaml }),
  ),
)

/** What a block leaves out. */
const REST: Readonly<Record<string, string>> = {
  vault: 'vault: documented',
  sources: 'sources: [{ type: files, name: etc, paths: [/etc] }]',
  sinks: 'sinks: [{ type: local, name: elsewhere, path: /srv/elsewhere }]',
}

/** @throws ConfigError with every mistake, at its line of the block */
async function check(yaml: string): Promise<number> {
  const given = Object.keys(Object(parseYaml(yaml, 'block').value))
  const missing = Object.entries(REST).filter(([key]) => !given.includes(key))
  const whole = [yaml, ...missing.map(([, line]) => line)].join('\n')
  const config = crossCheckedConfig(parseYaml(whole, 'block'), 'block')
  await refuseSharedLocations({
    ...config,
    file: 'block',
    path: (value) => resolvePath(value, '/etc', homedir()),
  })
  return config.sinks.length
}

test('the documents have configurations', () => {
  expect(BLOCKS.length).toBeGreaterThanOrEqual(20)
})

test('a block with a mistake would be found', async () => {
  await expect(check('sinks:\n  - { type: local, name: disk, pth: /mnt }\n')).rejects.toThrow(
    'path: is missing',
  )
  await expect(check('version: 3\n')).rejects.toThrow('version')
})

test.for(BLOCKS)('$where is accepted', async ({ yaml }) => {
  expect(await check(yaml)).toBeGreaterThan(0)
})

test.for(globSync('docs/providers/*.md', { cwd: ROOT }).filter((file) => !file.endsWith('README.md')))(
  '%s has a sink, says what it may do, and is in the table',
  (document) => {
    const text = readFileSync(join(ROOT, document), 'utf8')
    expect(text).toMatch(/^```yaml\nsinks:/m)
    for (const part of ['Rights', 'Append-only', 'What is charged for', 'Look out for'])
      expect(text).toMatch(new RegExp(`^## ${part}$|^\\*\\*${part}\\.\\*\\*`, 'm'))
    const table = readFileSync(join(ROOT, 'docs/providers/README.md'), 'utf8')
    expect(table).toContain(`](${document.split('/').at(-1)})`)
  },
)
