import { SourceError } from '@pipe-backup/source'
import { outputOf } from '@pipe-backup/source-command'
import type { ClientProgram } from './client-program.ts'

/** Options that say how a server is reached, or what is said about it. */
const CONNECTION =
  /^(?:user|password\d?|host|port|socket|protocol|pipe|bind-address|compress|compression-algorithms|zstd-compression-level|ssl|ssl-.+|tls-.+|default-auth|plugin-dir|character-sets-dir|get-server-public-key|server-public-key-path|enable-cleartext-plugin|connect-timeout|network-timeout|net-buffer-length|verbose|login-path)$/
/** Those that our own arguments overrule, and those that change how the dump is made, or written, and nothing of what is in it. */
const HARMLESS: ReadonlySet<string> = new Set(
  `single-transaction quick routines triggers events hex-blob dump-date tz-utc tablespaces default-character-set max-allowed-packet
   add-locks column-statistics set-gtid-purged lock-tables lock-all-tables flush-logs autocommit extended-insert complete-insert
   disable-keys order-by-primary order-by-size`.split(/\s+/),
)
/** As it is by default: to switch it off would change the dump. */
const DEFAULTS: ReadonlySet<string> = new Set([
  'quote-names',
  'create-options',
  'add-drop-table',
  'set-charset',
  'comments',
  'opt',
])

/**
 * Without a password the dump program reads the user's option files, where other options may be than those to log in with: `no-data`
 * or `ignore-table` would leave a dump empty that looks whole, and `result-file` would write it to the disk.
 * @throws SourceError `command-failed` for one that could change what is in a dump
 */
export async function checkUserOptions(program: ClientProgram, signal?: AbortSignal): Promise<void> {
  const said = (await outputOf([program.name, '--print-defaults'], { signal })).toString()
  const odd = oddOptions(said)
  if (odd.length === 0) return
  const message = `an option file of ${program.name} (such as ~/.my.cnf) says ${odd.join(', ')}, by which a dump could lack something`
  const hint =
    'Take it out of the file, or give user and password in the configuration: then no option file is read.'
  throw new SourceError('command-failed', message, { hint })
}

/** @param said - what `--print-defaults` prints: a sentence, and a line of options @returns those that are not known to be harmless */
export function oddOptions(said: string): string[] {
  const found = said.matchAll(/(?:^|\s)--([a-z][\w-]*)(=?)/gi)
  const names = [...found].map(([, name = '', hasValue]) => ({
    name: name
      .toLowerCase()
      .replaceAll('_', '-')
      .replace(/^loose-/, ''),
    hasValue: hasValue === '=',
  }))
  const isOdd = ({ name, hasValue }: { name: string; hasValue: boolean }): boolean => {
    const plain = name.replace(/^(?:skip|disable|enable|no)-/, '')
    if (CONNECTION.test(plain) || HARMLESS.has(plain)) return false
    return !DEFAULTS.has(name) || hasValue
  }
  return [...new Set(names.filter(isOdd).map(({ name }) => name))]
}
