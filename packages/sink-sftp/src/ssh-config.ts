import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { SinkError } from '@pipe-backup/sink'

/** Names of `Host` lines in the text of an ssh_config file. Patterns are none. */
export function hostAliases(text: string): readonly string[] {
  return text.split('\n').flatMap((line) => {
    const [, names = ''] = /^\s*host(?:\s+|\s*=\s*)(.+)$/i.exec(line) ?? []
    return names
      .split(/\s+/)
      .map((name) => name.replace(/^"|"$/g, ''))
      .filter((name) => /^[^*?!#]+$/.test(name))
  })
}

/**
 * What a host whose name is not known is in truth, where ssh would know it. Its file is not read for more: what it may say there is no
 * end of it, and some of it runs programs.
 */
export async function explainedAlias(
  cause: unknown,
  host: string,
  sink: string,
  file: string = join(homedir(), '.ssh/config'),
): Promise<unknown> {
  const code: unknown = cause instanceof Error && 'code' in cause ? cause.code : undefined
  if (code !== 'ENOTFOUND' && code !== 'EAI_AGAIN') return cause
  const text = await readFile(file, 'utf8').catch(() => '')
  if (!hostAliases(text).includes(host)) return cause
  return new SinkError(
    'protocol',
    `the name ${host} is not known: it is a Host of ~/.ssh/config, which sftp does not read`,
    {
      sink,
      cause,
      hint: `Put what \`ssh -G ${host}\` shows as hostname, port, user and identityfile into the sink’s options. The rsync sink does read that file.`,
    },
  )
}
