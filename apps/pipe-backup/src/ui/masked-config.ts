import type { Configuration, Item, Setting } from '@pipe-backup/ui/api'
import { clearSecrets } from '../config/clear-secrets.ts'
import type { LoadedConfig } from '../config/load-config.ts'

const MASK = '••••••'
/** Their arguments may hold what nobody should read over a shoulder. */
const COMMANDS = new Set(['run', 'before', 'after', 'command'])
/** What is shown elsewhere, or is no setting. */
const APART = new Set([
  'sources',
  'sinks',
  'notify',
  'file',
  'hostKey',
  'state',
  'warnings',
  'path',
  'name',
  'type',
])

/** The configuration as it is understood, with no secret in it: neither those that it holds, nor what its commands are given. */
export function maskedConfig(config: LoadedConfig): Configuration {
  const secrets = new Set([...clearSecrets(config)].map(({ path }) => path.join('/')))
  const { file, hostKey, state, warnings, sources, sinks, notify = [] } = config
  const items = (list: string, found: readonly { readonly type: string }[]): readonly Item[] =>
    found.map((item, i) => ({
      title: 'name' in item && typeof item.name === 'string' ? item.name : item.type,
      type: item.type,
      settings: settingsOf(item, `${list}/${i}`, secrets),
    }))
  return {
    file,
    hostKey,
    state,
    warnings,
    settings: settingsOf(config, '', secrets),
    sources: items('sources', sources),
    sinks: items('sinks', sinks),
    notify: items('notify', notify),
  }
}

function settingsOf(of: object, at: string, secrets: ReadonlySet<string>): readonly Setting[] {
  return Object.entries(of)
    .filter(
      ([key, value]) =>
        !(APART.has(key) && (at === '' || key === 'name' || key === 'type')) && value !== undefined,
    )
    .map(([key, value]) => ({ key, value: shown(key, value, at === '' ? key : `${at}/${key}`, secrets) }))
    .filter(({ value }) => value !== '')
}

function shown(key: string, value: unknown, at: string, secrets: ReadonlySet<string>): string {
  if (secrets.has(at)) return MASK
  if (COMMANDS.has(key)) return program(value)
  if (typeof value === 'string') return withoutLogin(value)
  if (Array.isArray(value))
    return value.map((one: unknown, i) => shown('', one, `${at}/${i}`, secrets)).join(', ')
  if (typeof value === 'object' && value !== null)
    return Object.entries(value)
      .map(([name, one]: [string, unknown]) => `${name}: ${shown(name, one, `${at}/${name}`, secrets)}`)
      .join(', ')
  return String(value)
}

/** The name of a program, without its arguments. */
function program(value: unknown): string {
  if (!Array.isArray(value)) return MASK
  const [first, ...rest] = value.filter((word: unknown) => typeof word === 'string')
  if (first === undefined) return Array.isArray(value[0]) ? value.map(program).join(', ') : MASK
  return rest.length === 0 ? first : `${first} … (${rest.length} more)`
}

/** Addresses may have a name and password before their host. */
function withoutLogin(text: string): string {
  return text.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/@]*@/i, `$1${MASK}@`)
}
