import { configSchema, findSourceType } from '../config/schema.ts'
import * as sourceTypes from '../providers/source-types.ts'
import { plural } from '../terminal/quantities.ts'
import { freeName } from './ask-name.ts'
import { AGAIN, type Asking, absolutePath, askOptions, type Options } from './ask-options.ts'
import { findServers } from './find-servers.ts'
import { findSqlite } from './find-sqlite.ts'
import { SOURCE_ASKS } from './source-hints.ts'
import { judge, mistakesOf, type Trying, trySource } from './try-part.ts'

/** Asks for sources until there is one and no more are wanted: paths, the databases that are found, and anything else. Each is tried. */
export async function askSources(asking: Asking, trying: Trying): Promise<readonly Options[]> {
  const { asker } = asking
  const sources: Options[] = []
  const add = async (type: string, known: Options = {}, suggested: Options = {}): Promise<void> => {
    const source = await askSource(asking, trying, { type, name: freeName(type, sources) }, known, suggested)
    if (source !== undefined) sources.push(source)
  }
  const paths = await askPaths(asking, trying)
  if (paths.length > 0) sources.push({ type: 'files', name: 'files', paths })
  const files = await findSqlite(paths.map(trying.path), trying.signal)
  if (files.length > 0) {
    asker.say(
      `\nThere are SQLite databases among them:\n${files.map((file) => `  ${file}`).join('\n')}\nA copy that is made while a program writes to one may be of no use: as a source of their own they are copied as they are at one moment.`,
    )
    if (await asker.confirm(`Back up ${plural(files.length, 'database')} so`, true))
      await add('sqlite', { paths: files })
  }
  for (const { type, where, options } of await findServers(trying.env)) {
    asker.say(`\nA ${TITLES[type]} server listens at ${where}.`)
    if (await asker.confirm('Back up its databases', true)) await add(type, options, { databases: 'all' })
  }
  for (;;) {
    const type = await askMore(asking, sources.length > 0)
    if (type === undefined) return sources
    await add(type, {}, type === 'mysql' || type === 'postgres' ? { databases: 'all' } : {})
  }
}

const TITLES = { mysql: 'MySQL or MariaDB', postgres: 'PostgreSQL' } as const

/** Asks for paths, and looks at each. */
async function askPaths({ asker, cwd }: Asking, trying: Trying): Promise<readonly string[]> {
  asker.say(
    '\nWhich files and directories are to be backed up? One on each line; an empty line ends the list.',
  )
  const paths: string[] = []
  for (;;) {
    const answer = await asker.line('  path')
    if (answer === '') return paths
    const path = absolutePath(answer, cwd)
    if (paths.includes(path)) continue
    const parsed = configSchema.shape.sources
      .unwrap()
      .element.safeParse({ type: 'files', name: 'files', paths: [path] }, { reportInput: true })
    const findings = parsed.success ? await trySource(parsed.data, trying) : mistakesOf(parsed.error)
    const verdict = await judge(findings, asker)
    if (verdict === 'keep') paths.push(path)
  }
}

async function askSource(
  asking: Asking,
  trying: Trying,
  base: { readonly type: string; readonly name: string },
  known: Options,
  first: Options,
): Promise<Options | undefined> {
  const { asker } = asking
  const asks = SOURCE_ASKS[base.type] ?? (() => [])
  const type = { ...findSourceType(base.type), asks: (given: Options) => asks(given) }
  let suggested = first
  for (;;) {
    const options = await askOptions(asking, type, base.name, known, suggested)
    const source = { ...base, ...options }
    const parsed = configSchema.shape.sources.unwrap().element.safeParse(source, { reportInput: true })
    const findings = parsed.success ? await trySource(parsed.data, trying) : mistakesOf(parsed.error)
    const verdict = await judge(findings, asker)
    if (verdict === 'keep') return source
    if (verdict === 'drop') return undefined
    suggested = options
    asker.say(AGAIN)
  }
}

/** @returns the type of one more source; undefined for none */
async function askMore({ asker }: Asking, isEnough: boolean): Promise<string | undefined> {
  const types = Object.values(sourceTypes).map(({ type, schema }) => ({
    value: type,
    label: `${type}: ${schema.description ?? ''}`,
  }))
  const choices = isEnough ? [{ value: undefined, label: 'nothing more' }, ...types] : types
  return await asker.choose(isEnough ? '\nAnything else?' : '\nWhat is to be backed up, then?', choices)
}
