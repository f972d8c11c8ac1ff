import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { missingDebianPackages, startMariadb } from '@pipe-backup-test/services'
import { execa } from 'execa'
import { makeOddTree } from './odd-tree.ts'
import { difference, MAIN, Sandbox } from './sandbox.ts'
import { prompt, TerminalScreen } from './terminal-screen.ts'
import { svgOf } from './terminal-svg.ts'

// The main job, on this machine, in a temporary directory: a real tree and a real database into three local sinks at once, and back.
// `--svg FILE` makes a picture of its first commands, as a terminal shows them.

const { values: options } = parseArgs({ options: { svg: { type: 'string' } } })
const COLUMNS = 96
const screen = new TerminalScreen()
const say = (line: string) => process.stdout.write(`${line}\n`)

/** Shows a command as a person would type it, runs it, and shows what it printed. */
async function show(
  sandbox: Sandbox,
  args: string[],
  shown = `pipe-backup ${args.join(' ')}`,
): Promise<Buffer> {
  say(`\n$ ${shown}`)
  const started = performance.now()
  const env = {
    TIPBOT_PASSWORD: 'demo password',
    XDG_CONFIG_HOME: sandbox.path('.config'),
    XDG_STATE_HOME: sandbox.path('.local/state'),
  }
  if (options.svg !== undefined && isRecorded(shown)) return await record(sandbox, args, shown, env)
  const { code, out, err } = await sandbox.run(args, { env: { ...env, NO_COLOR: '1' } })
  if (out.length < 4000) process.stdout.write(out)
  process.stdout.write(err)
  say(`  (exit code ${code}, ${((performance.now() - started) / 1000).toFixed(1)} s)`)
  if (code !== 0) throw new Error(`${shown} exited with ${code}`)
  return out
}

/** Those whose output is text, up to the first restore. */
function isRecorded(shown: string): boolean {
  return !shown.includes('|') && !screen.rows.some((row) => row.some(({ character }) => character === '✓'))
}

/** Runs a command in a terminal of its own (util-linux' `script`). Where the sandbox is, a person would have his home. */
async function record(
  sandbox: Sandbox,
  args: string[],
  shown: string,
  env: Readonly<Record<string, string>>,
): Promise<Buffer> {
  const command = `stty cols ${COLUMNS}; exec '${process.execPath}' '${MAIN}' ${args.join(' ')}`
  const { stdout } = await execa('script', ['--quiet', '--return', '--command', command, '/dev/null'], {
    cwd: sandbox.root,
    env: { ...env, TERM: 'xterm-256color', COLUMNS: String(COLUMNS) },
    extendEnv: true,
    stdin: 'ignore',
    stripFinalNewline: false,
  })
  const between = screen.rows.length > 1 ? '\r\n' : ''
  screen.write(`${between}${prompt(shown)}${stdout.replaceAll(sandbox.root, '/home/bot')}`)
  process.stdout.write(stdout)
  return Buffer.from(stdout)
}

function check(what: string, equal: boolean): void {
  say(`${equal ? '✓' : '✗'} ${what}`)
  if (options.svg !== undefined && isRecorded(what)) screen.write(`\x1b[32m✓\x1b[39m ${what}\r\n`)
  if (!equal) process.exitCode = 1
}

async function demo(): Promise<void> {
  using sandbox = new Sandbox()
  const tree = sandbox.path('tree')
  mkdirSync(tree)
  makeOddTree(tree)
  await execa('cp', ['-a', resolve(import.meta.dirname, '../../../node_modules/typescript'), tree])
  await execa('dd', ['if=/dev/urandom', `of=${tree}/random`, 'bs=1M', 'count=64'])

  const withDatabase = missingDebianPackages(['mariadb-server']).length === 0
  await using servers = new AsyncDisposableStack()
  const server = withDatabase ? servers.use(await startMariadb()) : undefined
  if (server) {
    server.query(
      "CREATE DATABASE tipbot; CREATE USER backup@localhost IDENTIFIED BY 'demo password'; GRANT ALL ON *.* TO backup@localhost",
    )
    server.query(
      readFileSync(resolve(import.meta.dirname, '../../../packages/source-mysql/src/every-type.sql')),
      'tipbot',
    )
    server.query(
      "CREATE TABLE tips (id INT PRIMARY KEY, who VARCHAR(40), amount DECIMAL(20,9)); INSERT INTO tips SELECT seq, CONCAT('user ', seq % 977), seq / 7 FROM seq_1_to_200000",
      'tipbot',
    )
  } else say('(no MariaDB server on this machine: the database is left out)')

  sandbox.configure({
    vault: 'demo',
    host: 'bot',
    sources: [
      { type: 'files', name: 'tree', paths: [tree] },
      ...(server
        ? [
            {
              type: 'mysql',
              name: 'database',
              databases: ['tipbot'],
              user: 'backup',
              password: { env: 'TIPBOT_PASSWORD' },
              socket: server.socket,
            },
          ]
        : []),
    ],
    sinks: sandbox.sinks('disk', 'usb', 'nas'),
  })
  await show(sandbox, ['init', '--phrase-out', 'phrase'])
  await show(sandbox, ['run'])
  await show(sandbox, ['run'], 'pipe-backup run          # again, nothing changed')
  await show(sandbox, ['snapshots'])
  await show(sandbox, ['restore', 'latest', 'tree', '--phrase-file', 'phrase', '--to', 'restored'])
  check(
    'the restored tree is the same: rsync finds nothing to change',
    (await difference(tree, sandbox.path('restored/tree', tree))) === '',
  )

  const tar = await show(
    sandbox,
    ['restore', 'latest', 'tree', '--phrase-file', 'phrase', '--from', 'usb'],
    'pipe-backup restore latest tree --from usb | tar -x',
  )
  mkdirSync(sandbox.path('untarred'))
  await execa('tar', ['-xpf', '-', '--numeric-owner'], { cwd: sandbox.path('untarred'), input: tar })
  check(
    'the tree from the tar of one sink is the same',
    (await difference(tree, sandbox.path('untarred/tree', tree))) === '',
  )

  await execa('/usr/bin/python3', [
    resolve(import.meta.dirname, '../../recover/recover.py'),
    sandbox.path('sinks/nas'),
    '--phrase-file',
    sandbox.path('phrase'),
    '--to',
    sandbox.path('recovered'),
    'tree',
  ])
  check(
    'recover.py, the second reader, restores the same tree from the third sink',
    (await difference(tree, sandbox.path('recovered/tree', tree))) === '',
  )

  if (server) {
    const other = servers.use(await startMariadb())
    const dump = await show(
      sandbox,
      ['cat', 'latest', 'database/tipbot.sql', '--phrase-file', 'phrase'],
      'pipe-backup cat latest database/tipbot.sql | mariadb tipbot',
    )
    other.query('CREATE DATABASE tipbot')
    other.query(dump, 'tipbot')
    const tables = server
      .query(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'tipbot' AND table_type = 'BASE TABLE'",
      )
      .trim()
      .split('\n')
      .slice(1)
    const sums = (where: typeof server) =>
      tables.map((table) => where.query(`CHECKSUM TABLE \`${table}\` EXTENDED`, 'tipbot')).join('')
    check(`the ${tables.length} tables in the second server are the same`, sums(other) === sums(server))
  }
  say(process.exitCode ? '\nThe demo failed.' : '\nAll came back as it was.')
}

await demo()
if (options.svg !== undefined) {
  const title =
    'A run of pipe-backup: a vault is made on three sinks, a tree and a database are backed up twice, and restored'
  writeFileSync(options.svg, svgOf(screen.rows, COLUMNS, title))
}
