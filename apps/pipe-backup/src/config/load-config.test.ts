import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Machine } from '../machine.ts'
import { ConfigError } from './config-error.ts'
import { type LoadedConfig, loadConfig } from './load-config.ts'

let root: string
let machine: Machine

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'pipe-backup-config-'))
  const directory = (name: string): string => join(root, name)
  machine = {
    env: {},
    cwd: directory('work'),
    home: directory('home'),
    hostName: 'here',
    uid: process.getuid?.(),
    systemConfig: directory('etc'),
    systemState: directory('var'),
  }
  for (const name of ['work', 'home', 'etc']) await mkdir(directory(name))
})

afterEach(async () => await rm(root, { recursive: true }))

async function write(path: string, text: string, mode = 0o600): Promise<string> {
  const file = join(root, path)
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, text)
  await chmod(file, mode)
  return file
}

async function load(text: string, name = 'work/pipe-backup.yaml', mode = 0o600): Promise<LoadedConfig> {
  return await loadConfig(await write(name, text, mode), machine)
}

/** Every problem in a line, without the directory of the test. */
async function refusal(text: string, name?: string): Promise<readonly string[]> {
  const error = await load(text, name).then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof ConfigError)) throw new Error('it was accepted', { cause: error })
  return error.lines.map((line) => line.replaceAll(`${root}/`, ''))
}

const SINKS = 'sinks:\n  - { type: local, name: disk, path: /mnt/disk }\n'

const CONTRACT = `
vault: tipbot
copies: 1
schedule: "0 * * * *"
sources:
  - { type: files,   name: wallet,   paths: [~/.qrl], exclude: ["data/state/**"] }
  - { type: mysql,   name: database, databases: [tipbot], user: backup, password: { env: MYSQL_PASSWORD } }
  - { type: files,   name: state,    paths: [~/.qrl/data/state], every: 1d, settle: 5, before: [sync], after: [true-ish] }
  - { type: command, name: crontab,  run: [crontab, -l], path: crontab.txt }
sinks:
  - { type: local,     name: disk, path: /mnt/backup/tipbot, uploadLimit: 2MiB, timeout: 90s, concurrency: 4 }
keep: { hourly: 24, daily: 7, weekly: 4, monthly: 12 }
notify:
  - { type: webhook, url: "https://example.com/hook", on: [failure, recovery] }
  - { type: email, smtp: "smtp://example.com", from: a@example.com, to: [b@example.com] }
  - { type: command, run: [notify-send, x] }
  - { type: ping, url: { file: /run/secrets/ping } }
`

test('the whole of the documented configuration is accepted', async () => {
  const config = await load(CONTRACT)
  expect(config.sources.map(({ name }) => name)).toEqual(['wallet', 'database', 'state', 'crontab'])
  expect(config).toMatchObject({ vault: 'tipbot', copies: 1, host: 'here', warnings: [] })
})

test('a configuration with nothing but a sink is enough to read a vault', async () => {
  expect(await load(SINKS)).toMatchObject({ vault: 'default', copies: 1, sources: [] })
})

test('without copies all sinks must hold a snapshot, but no more than three', async () => {
  const sinks = (count: number): string =>
    `sinks:\n${Array.from({ length: count }, (_, i) => `  - { type: local, name: d${i}, path: /d${i} }\n`).join('')}`
  expect((await load(sinks(2))).copies).toBe(2)
  expect((await load(sinks(5))).copies).toBe(3)
})

test('an unknown key is refused with its place and the nearest known one', async () => {
  expect(await refusal(`valt: x\n${SINKS}`)).toEqual([
    'work/pipe-backup.yaml:1:1: valt: unknown key; did you mean "vault"?',
  ])
})

test('an unknown key deep inside is named by its whole path', async () => {
  expect(await refusal('sinks:\n  - type: local\n    name: disk\n    path: /x\n    concurency: 3\n')).toEqual(
    ['work/pipe-backup.yaml:5:5: sinks[0].concurency: unknown key; did you mean "concurrency"?'],
  )
})

test('a key that resembles none is answered with those there are', async () => {
  const [line] = await refusal(`keep: { zzzzzz: 1 }\n${SINKS}`)
  expect(line).toBe(
    'work/pipe-backup.yaml:1:9: keep.zzzzzz: unknown key; known here: last, hourly, daily, weekly, monthly, yearly, within',
  )
})

test('every mistake is reported at once, in the order of the file', async () => {
  const lines = await refusal('copies: many\nsinks:\n  - { type: local, name: "A B", pth: /x }\n')
  expect(lines).toEqual([
    'work/pipe-backup.yaml:1:9: copies: must be a number, not text',
    'work/pipe-backup.yaml:3:5: sinks[0].path: is missing',
    'work/pipe-backup.yaml:3:26: sinks[0].name: "A B" can\'t be a name: small letters, digits, ".", "_" and "-", a letter or digit first',
    'work/pipe-backup.yaml:3:33: sinks[0].pth: unknown key; did you mean "path"?',
  ])
})

test('a sink type that this version lacks is refused with those it has', async () => {
  expect(await refusal('sinks:\n  - { type: ftp, name: aws, bucket: b }\n')).toEqual([
    'work/pipe-backup.yaml:2:13: sinks[0].type: unknown sink type "ftp"; known: dropbox, local, nextcloud, rclone, rsync, s3, sftp, webdav',
  ])
})

test('a name that two sinks share is refused, naming the first', async () => {
  expect(
    await refusal('sinks:\n  - { type: local, name: a, path: /a }\n  - { type: local, name: a, path: /b }\n'),
  ).toEqual(['work/pipe-backup.yaml:3:26: sinks[1].name: "a" is the name of sinks[0] already'])
})

test('a name that two sources share is refused', async () => {
  const source = '  - { type: files, name: a, paths: [/a] }\n'
  expect(await refusal(`${SINKS}sources:\n${source}${source}`)).toEqual([
    'work/pipe-backup.yaml:5:26: sources[1].name: "a" is the name of sources[0] already',
  ])
})

test('more copies than sinks are refused', async () => {
  expect(await refusal(`copies: 2\n${SINKS}`)).toEqual([
    'work/pipe-backup.yaml:1:9: copies: must be at most the number of sinks: there is only 1 sink',
  ])
})

test.for([
  ['password: 12345', 'must be text: put it in quotes'],
  [
    'password: { envv: X }',
    'must be text, { env: NAME }, { file: PATH } or { command: [PROGRAM, ARGUMENT…] }',
  ],
  ['password: ""', 'must not be empty'],
  ['every: 5 fortnights', 'must be a number of seconds, or text such as 90s, 15m, 6h, 1d'],
  ['before: sync', 'must be a list, not text'],
  ['before: []', 'must name a program'],
  ['port: 70000', 'must be at most 65535'],
  ['databases: []', 'must name at least one database'],
  ['databases: shop', 'must be a list of names, or all'],
] as const)('a source with %s is refused: %s', async ([option, message]) => {
  const databases = option.startsWith('databases') ? '' : ', databases: [x]'
  const [line] = await refusal(`${SINKS}sources:\n  - { type: mysql, name: db${databases}, ${option} }\n`)
  expect(line?.endsWith(`: ${message}`), line).toBe(true)
})

test.for([
  ['type: sqlite, name: s', 'sources[0]: must have path or paths, and not both'],
  ['type: sqlite, name: s, path: /a.db, paths: [/b.db]', 'sources[0]: must have path or paths, and not both'],
  ['type: sqlite, name: s, pathes: [/b.db]', 'sources[0].pathes: unknown key; did you mean "paths"?'],
  ['type: sqlite, name: s, paths: []', 'sources[0].paths: must name at least one database'],
  ['type: postgres, name: p', 'sources[0].databases: must be a list of names, or all'],
  ['type: postgres, name: p, databases: shop', 'sources[0].databases: must be a list of names, or all'],
  [
    'type: postgres, name: p, databases: all, global: true',
    'sources[0].global: unknown key; did you mean "globals"?',
  ],
  [
    'type: postgres, name: p, databases: all, ssl: { cert: a.pem }',
    'sources[0].ssl: cert and key go together',
  ],
  [
    'type: postgress, name: p, databases: all',
    'unknown source type "postgress"; known: command, files, mysql, postgres, sqlite',
  ],
] as const)('a source { %s } is refused: %s', async ([source, message]) => {
  const lines = await refusal(`${SINKS}sources:\n  - { ${source} }\n`)
  expect(lines.join('\n')).toContain(message)
})

test.for(['./cache', '../x', 'a/./b', '!./keep', 'a/..', '.'])(
  'a pattern that can match nothing is refused: %s',
  async (pattern) => {
    const lines = await refusal(
      `${SINKS}sources:\n  - { type: files, name: f, paths: [/x], exclude: ["${pattern}"] }\n`,
    )
    expect(lines.join('\n')).toContain('sources[0].exclude[0]: can match nothing with . or .. in it')
  },
)

test('a refused secret is not quoted', async () => {
  const lines = await refusal(
    `${SINKS}sources:\n  - { type: mysql, name: db, databases: [x], password: [hunter2] }\n`,
  )
  expect(lines.join('\n')).not.toContain('hunter2')
})

test('YAML that does not parse is refused with its place, and its text is not quoted', async () => {
  const lines = await refusal('vault: x\nsinks: [ { password: hunter2 \n')
  expect(lines.length).toBeGreaterThan(0)
  expect(lines[0]).toMatch(/^work\/pipe-backup\.yaml:\d+:\d+: /)
  expect(lines.join('\n')).not.toContain('hunter2')
})

test('a key that is given twice is refused, in YAML and in JSON', async () => {
  expect((await refusal(`vault: a\nvault: b\n${SINKS}`))[0]).toMatch(
    /^work\/pipe-backup\.yaml:2:1: .*unique/i,
  )
  expect(await refusal('{"vault": "a",\n "vault": "b"}', 'work/c.json')).toEqual([
    'work/c.json:2:2: "vault" is given twice',
  ])
})

test('an empty file is refused', async () => {
  expect(await refusal('')).toEqual(['work/pipe-backup.yaml: the file is empty'])
  expect(await refusal('', 'work/c.json')).toEqual(['work/c.json:1:1: not JSON: value expected'])
})

test('YAML aliases that multiply without end are refused, not expanded', async () => {
  const levels = Array.from(
    { length: 12 },
    (_, i) => `l${i + 1}: &l${i + 1} [${Array(10).fill(`*l${i}`).join(', ')}]`,
  )
  expect((await refusal(`l0: &l0 x\n${levels.join('\n')}\n`))[0]).toMatch(/alias/i)
})

test('JSON with comments and a comma at its end is accepted, and its places are reported', async () => {
  expect(
    (await load('{ // why\n "sinks": [{"type": "local", "name": "d", "path": "/x"},],\n}', 'work/c.jsonc'))
      .vault,
  ).toBe('default')
  expect(
    await refusal(
      '{\n "vault": "x",\n "sinks": [{"type": "local", "name": "d", "pth": "/x"}]}',
      'work/c.json',
    ),
  ).toEqual([
    'work/c.json:3:12: sinks[0].path: is missing',
    'work/c.json:3:43: sinks[0].pth: unknown key; did you mean "path"?',
  ])
})

test('a secret that is missing is missing, and what stands in its place is named', async () => {
  const sink = '{ type: nextcloud, name: c, server: cloud.example.com, user: u, pasword: p }'
  expect(await refusal(`sinks:\n  - ${sink}\n`)).toEqual([
    expect.stringMatching(/sinks\[0\]\.password: is missing$/),
    expect.stringMatching(/sinks\[0\]\.pasword: unknown key; did you mean "password"\?$/),
  ])
})

test("an application's own JSON holds the configuration in its backup object", async () => {
  const config = await load(
    '{"bot": {"x": 1}, "backup": {"vault": "tip", "sinks": [{"type": "local", "name": "d", "path": "/x"}]}}',
    'work/c.json',
  )
  expect(config.vault).toBe('tip')
})

test('the older keys of a backup object mean a nextcloud sink, and are named as they stand', async () => {
  const text = (user: string) =>
    `{"backup": {"vault": "tip",\n "nextcloud_server": "c.example.com",\n "nextcloud_user": ${user}, "nextcloud_pass": "hunter2"}}`
  const config = await load(text('"u"'), 'work/c.json')
  const sink = {
    type: 'nextcloud',
    name: 'nextcloud',
    server: 'c.example.com',
    user: 'u',
    password: 'hunter2',
  }
  expect(config.sinks).toEqual([sink])
  expect(await refusal(text('7'), 'work/c.json')).toEqual([
    expect.stringMatching(/^work\/c\.json:3:\d+: backup\.nextcloud_user: /),
  ])
})

test('a TypeScript configuration is its default export', async () => {
  const text = "const name: string = 'd'\nexport default { sinks: [{ type: 'local', name, path: '/x' }] }\n"
  expect((await load(text, 'work/pipe-backup.ts')).sinks).toMatchObject([{ name: 'd' }])
})

test('a TypeScript configuration without a default export is refused', async () => {
  expect(await refusal('export const x = 1\n', 'work/none.ts')).toEqual([
    'work/none.ts: has no default export',
  ])
})

test.for(['/etc/x', 'a/../b', 'a//b', ''])("the path %j of a command's output is refused", async (path) => {
  const [line] = await refusal(
    `${SINKS}sources:\n  - { type: command, name: c, run: [x], path: "${path}" }\n`,
  )
  expect(line).toContain(': sources[0].path: must ')
})

test.for(['~bot/x', '~bot', 'a\\0b'])(
  'the path %s is refused before anything is done with it',
  async (path) => {
    const [line] = await refusal(`sinks:\n  - { type: local, name: disk, path: "${path}" }\n`)
    expect(line).toMatch(/^work\/pipe-backup\.yaml:2:38: sinks\[0\]\.path: /)
  },
)

test('paths are relative to the file, and ~ is the home directory', async () => {
  const config = await load(SINKS, 'work/sub/c.yaml')
  expect(config.path('../x')).toBe(join(root, 'work/x'))
  expect(config.path('~/x')).toBe(join(root, 'home/x'))
  expect(config.path('~')).toBe(join(root, 'home'))
  expect(config.path('/x')).toBe('/x')
  expect(() => config.path('~bot/x')).toThrow(RangeError)
})

test('the working directory comes before the user, and the user before the system', async () => {
  await write('etc/pipe-backup.yml', `vault: system\n${SINKS}`)
  expect((await loadConfig(undefined, machine)).vault).toBe('system')
  await write(
    'home/.config/pipe-backup/pipe-backup.json',
    '{"vault":"user","sinks":[{"type":"local","name":"d","path":"/x"}]}',
  )
  expect((await loadConfig(undefined, machine)).vault).toBe('user')
  await write('work/pipe-backup.yaml', `vault: work\n${SINKS}`)
  expect((await loadConfig(undefined, machine)).vault).toBe('work')
  machine.env['PIPE_BACKUP_CONFIG'] = await write('other.yaml', `vault: named\n${SINKS}`)
  expect((await loadConfig(undefined, machine)).vault).toBe('named')
  expect((await loadConfig('pipe-backup.yaml', machine)).vault).toBe('work')
})

test('without any configuration it is said where one was looked for', async () => {
  await expect(loadConfig(undefined, machine)).rejects.toMatchObject({
    code: 'unreadable',
    message: expect.stringContaining(machine.cwd),
  })
})

test('a file in the working directory that everybody can write is not picked up, but can be named', async () => {
  const file = await write('work/pipe-backup.yaml', SINKS, 0o666)
  await expect(loadConfig(undefined, machine)).rejects.toMatchObject({
    message: expect.stringContaining('everybody'),
  })
  expect((await loadConfig(file, machine)).vault).toBe('default')
})

test("another user's file in the working directory is not picked up", async () => {
  await write('work/pipe-backup.yaml', SINKS)
  const stranger = { ...machine, uid: (machine.uid ?? 0) + 1 }
  const owned = loadConfig(undefined, stranger)
  // Root's files are everybody's to use.
  if (machine.uid === 0) expect((await owned).vault).toBe('default')
  else await expect(owned).rejects.toMatchObject({ message: expect.stringContaining('another user') })
})

test("the user's key and state are in XDG directories, the system's beside its configuration and in /var", async () => {
  const user = await load(`vault: v\n${SINKS}`)
  expect(user).toMatchObject({
    hostKey: join(root, 'home/.config/pipe-backup/v.key'),
    state: join(root, 'home/.local/state/pipe-backup/v'),
  })
  machine.env['XDG_CONFIG_HOME'] = join(root, 'xc')
  machine.env['XDG_STATE_HOME'] = join(root, 'xs')
  expect(await load(`vault: v\n${SINKS}`)).toMatchObject({
    hostKey: join(root, 'xc/pipe-backup/v.key'),
    state: join(root, 'xs/pipe-backup/v'),
  })
  expect(await load(`vault: v\n${SINKS}`, 'etc/pipe-backup.yaml')).toMatchObject({
    hostKey: join(root, 'etc/v.key'),
    state: join(root, 'var/v'),
  })
})

test('hostKey and state are paths like others, and PIPE_BACKUP_STATE goes before', async () => {
  const text = `hostKey: ./k\nstate: ~/s\n${SINKS}`
  expect(await load(text)).toMatchObject({ hostKey: join(root, 'work/k'), state: join(root, 'home/s') })
  machine.env['PIPE_BACKUP_STATE'] = '/elsewhere'
  expect((await load(text)).state).toBe('/elsewhere')
})

const CLEAR = `${SINKS}sources:\n  - { type: mysql, name: db, databases: [x], password: hunter2 }\n`

test('a secret in the clear in a file that others can read is a warning with its place, without the secret', async () => {
  const { warnings } = await load(CLEAR, undefined, 0o644)
  expect(warnings).toHaveLength(1)
  expect(warnings[0]).toContain(':4:56: sources[0].password: a secret in the clear')
  expect(warnings[0]).not.toContain('hunter2')
})

test('there is no warning when nobody else can read the file, or when the secret is elsewhere', async () => {
  expect((await load(CLEAR, undefined, 0o600)).warnings).toEqual([])
  expect((await load(CLEAR.replace('hunter2', '{ env: X }'), undefined, 0o644)).warnings).toEqual([])
})

test('a TypeScript configuration is warned of only for a secret that stands in its text', async () => {
  const text = (password: string): string =>
    `const p = ${password}\nexport default { sinks: [{ type: 'local', name: 'd', path: '/x' }], sources: [{ type: 'mysql', name: 'm', databases: ['x'], password: p }] }\n`
  expect((await load(text("'hunter2'"), 'work/clear.ts', 0o644)).warnings).toHaveLength(1)
  expect((await load(text("['hun','ter2'].join('')"), 'work/hidden.ts', 0o644)).warnings).toEqual([])
})

test('a secret that YAML ends at a comment is refused, or, where it may be meant, a warning', async () => {
  const of = (password: string) =>
    `sinks:\n  - type: webdav\n    name: dav\n    url: https://dav.example.com/\n    user: u\n    password: ${password}\n`
  expect(await refusal(of('ab #cd'))).toEqual([
    'work/pipe-backup.yaml:6:15: sinks[0].password: ends before " #", for YAML begins a comment there: put the secret in quotes',
  ])
  expect((await load(of('ab # mine'))).warnings).toEqual([
    expect.stringMatching(/:6:15: sinks\[0\]\.password: is followed by a comment: /),
  ])
  for (const fine of ['"ab #cd"', "'ab #cd'", 'ab#cd', '"ab" # mine', '{ env: PW } # mine'])
    expect((await load(of(fine))).warnings).toEqual([])
})

test('a time without quotes is said to need them', async () => {
  for (const schedule of ['* * * * *', '*/5 * * * *', '@hourly'])
    expect(await refusal(`schedule: ${schedule}\n${SINKS}`)).toEqual(
      expect.arrayContaining([
        expect.stringMatching(
          /yaml:1:\d+: a text that begins with [*@] means something else in YAML: put what is behind "schedule:" in quotes$/,
        ),
      ]),
    )
})
