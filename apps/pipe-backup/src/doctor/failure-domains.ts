import { stat } from 'node:fs/promises'
import { isIP } from 'node:net'
import { answerWithin } from '../answer-within.ts'
import type { LoadedConfig } from '../config/load-config.ts'
import { findSinkType } from '../config/schema.ts'
import type { SinkConfig } from '../providers/sink-type.ts'
import { ANSWER_MS } from './check-paths.ts'
import type { Examined } from './finding.ts'

/** "A backup is not a backup until it is in 3 separate places." */
const ENOUGH_PLACES = 3
const FILE_SYSTEM = 'file system '

/**
 * Whether one catastrophe leaves a copy: sinks that are one disk or one server count once, and a disk that the sources are on too does not
 * outlive them.
 */
export async function checkFailureDomains(config: LoadedConfig): Promise<Examined[]> {
  const findings: Examined[] = []
  const domains = new Map<string, string[]>()
  for (const sink of config.sinks) {
    const domain = await failureDomainOf(sink, config)
    domains.set(domain, [...(domains.get(domain) ?? []), sink.name])
  }
  for (const [domain, names] of domains) {
    if (names.length > 1)
      findings.push({
        subject: 'places',
        state: 'warning',
        message: `${names.join(' and ')} are one place: ${domain.startsWith(FILE_SYSTEM) ? 'the same file system' : domain}`,
        hint: 'They are lost together.',
      })
  }
  const ofSources = await sourceDomains(config)
  for (const [domain, names] of domains) {
    const shared = ofSources.get(domain)
    if (shared !== undefined)
      findings.push({
        subject: 'places',
        state: 'warning',
        message: `${names.join(' and ')}: on the same file system as source ${shared}`,
        hint: 'They are lost together.',
      })
  }
  const count = [...domains.keys()].filter((domain) => !ofSources.has(domain)).length
  const many = count === 1 ? '1 separate place' : `${count} separate places`
  findings.push(
    count >= ENOUGH_PLACES
      ? { subject: 'places', state: 'ok', message: many }
      : {
          subject: 'places',
          state: 'warning',
          message: `${many} beside the sources: fewer than ${ENOUGH_PLACES}`,
          hint: 'A backup is not a backup until it is in 3 separate places: add a sink elsewhere.',
        },
  )
  return findings
}

/** The disk or the server that a sink is on, as far as its configuration shows it. */
async function failureDomainOf(sink: SinkConfig, config: LoadedConfig): Promise<string> {
  const type = findSinkType(sink.type)
  const directory = type.directory(sink)
  if (directory !== undefined) return await fileSystemOf(config.path(directory))
  const server = type.server(sink)
  return server === undefined ? sink.type : `server ${hostOf(server)}`
}

async function sourceDomains(config: LoadedConfig): Promise<Map<string, string>> {
  const domains = new Map<string, string>()
  for (const source of config.sources) {
    const paths: unknown = 'paths' in source ? source.paths : undefined
    for (const path of Array.isArray(paths) ? paths : [])
      if (typeof path === 'string') domains.set(await fileSystemOf(config.path(path)), source.name)
  }
  return domains
}

async function fileSystemOf(path: string): Promise<string> {
  const device = await answerWithin(ANSWER_MS, stat(path)).then(
    ({ dev }) => String(dev),
    () => path,
  )
  return FILE_SYSTEM + device
}

/** Of an address, of HOST:PORT, or of USER@HOST:PATH. */
function hostOf(text: string): string {
  const host = URL.parse(text)?.hostname || (text.replace(/^.*@/, '').split(/[:/]/)[0] ?? text)
  return isIP(host) === 4 && host.startsWith('127.') ? 'localhost' : host.toLowerCase()
}
