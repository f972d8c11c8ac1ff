import { vaultStatus } from '@pipe-backup/vault'
import type { CliContext } from '../cli-context.ts'
import { ifSet } from '../config/if-set.ts'
import type { LoadedConfig } from '../config/load-config.ts'
import { findSinkType, findSourceType } from '../config/schema.ts'
import { checkHooks, checkHostKey, checkPlan, checkState } from '../doctor/check-host.ts'
import { checkSink } from '../doctor/check-sink.ts'
import { checkFailureDomains } from '../doctor/failure-domains.ts'
import { type Examined, type Finding, failureOf } from '../doctor/finding.ts'
import { findHost } from '../host/load-host.ts'
import { Notifier } from '../notify/notifier.ts'
import { type OpenSinks, openSinks } from '../providers/open-sinks.ts'
import { refuseSharedLocations } from '../providers/shared-locations.ts'
import { ownDirectories, sourceMemory } from '../providers/source-surroundings.ts'
import { supervise } from '../run/supervise.ts'
import { redact } from '../secrets/redact.ts'
import { errorLine } from '../terminal/error-line.ts'
import { escapeControls } from '../terminal/escape-bytes.ts'
import { plural } from '../terminal/quantities.ts'
import { openConfig, openSecrets } from '../vault/open-config.ts'

const MARKS = { ok: 'ok     ', warning: 'WARNING', failure: 'FAILED ' } as const

export interface DoctorOptions {
  readonly notify: boolean
  /** For `config init`, before there is a vault: that there is no host key is as it should be. */
  readonly isNew?: boolean | undefined
}

/** `doctor`: tries all that may fail when nobody looks. @returns the exit code: 1 when something failed, 3 when something needs a look */
export async function doctor(cli: CliContext, options: DoctorOptions): Promise<number> {
  const { output, signal } = cli
  // What config init tries is this process's own: its arguments would ask again.
  const elsewhere = options.isNew ? undefined : await supervise(cli)
  if (elsewhere !== undefined) return elsewhere
  const config = await openConfig(cli)
  await refuseSharedLocations(config)
  const found: Examined[] = []
  const add = (examined: readonly Examined[]): void => {
    for (const { subject, state, message, hint } of examined) {
      const safe = {
        subject,
        state,
        message: redact(escapeControls(message)),
        hint: ifSet(hint, (text) => redact(escapeControls(text))),
      }
      found.push(safe)
      const line = state === 'ok' ? safe.message : errorLine(safe)
      output.print(`${MARKS[state]}  ${subject}: ${line}`)
    }
  }
  add([{ subject: 'configuration', ...ofConfig(config) }])
  const { finding, vaultId } = await checkHostKey(config)
  if (!options.isNew || vaultId !== undefined) add([finding])
  add([await checkState(config), ...(await checkFailureDomains(config))])
  await using opened = await openSinks(config, { secrets: openSecrets(config, cli), signal })
  await using unguarded = await openSinks(withoutGuards(config), {
    secrets: openSecrets(config, cli),
    signal,
  })
  const growth = await weeklyGrowth(config, opened, cli)
  const checks = [
    ...opened.sinks.map(async (sink) => {
      const bytesPerWeek = growth.get(sink.name)
      const findings = await checkSink(sink, {
        vaultId,
        signal,
        bytesPerWeek,
        unguarded: unguarded.sinks.find(({ name }) => name === sink.name),
      })
      add(findings.map((one) => ({ subject: `sink ${sink.name}`, ...withoutName(one, sink.name) })))
    }),
    ...config.sources.map(async (source) => {
      add(
        (await checkSource(config, source, cli, vaultId)).map((one) => ({
          subject: `source ${source.name}`,
          ...one,
        })),
      )
    }),
    checkHooks(config).then(add),
    checkPlan(config, cli).then(add),
    checkNotify(config, cli, options.notify).then(add),
  ]
  await Promise.all(checks)
  add(ofSecrets(openSecrets(config, cli).oddities()))
  signal.throwIfAborted()
  const count = (state: Finding['state']): number => found.filter((one) => one.state === state).length
  const [failures, warnings] = [count('failure'), count('warning')]
  const exitCode = failures > 0 ? 1 : warnings > 0 ? 3 : 0
  output.print(
    exitCode === 0
      ? 'all is well'
      : `${plural(failures, 'failure')}, ${plural(warnings, 'warning')} in ${plural(found.length, 'check')}`,
  )
  output.printJson({ checks: found, failures, warnings, exitCode })
  return exitCode
}

/** The sinks whose servers are to refuse what a thief would do, as a thief has them. */
function withoutGuards(config: LoadedConfig): LoadedConfig {
  const sinks = config.sinks.flatMap((sink) => findSinkType(sink.type).unguarded(sink) ?? [])
  return { ...config, sinks }
}

function ofConfig({ file, warnings, sources }: LoadedConfig): Finding {
  const [warning] = warnings
  if (warning !== undefined) return { state: 'warning', message: warning }
  if (sources.length === 0)
    return { state: 'warning', message: `${file} has no sources: nothing is backed up` }
  return { state: 'ok', message: `${file} is fine` }
}

function ofSecrets(oddities: readonly string[]): Examined[] {
  return oddities.map((message) => ({
    subject: 'secrets',
    state: 'warning',
    message: `${message}, which is taken for a part of it`,
    hint: "Editors add such: write it with printf '%s'.",
  }))
}

async function checkSource(
  config: LoadedConfig,
  source: LoadedConfig['sources'][number],
  cli: CliContext,
  vaultId: string | undefined,
): Promise<readonly Finding[]> {
  const { signal, output } = cli
  const secrets = openSecrets(config, cli)
  const context = {
    path: config.path,
    secret: (value: Parameters<typeof secrets.read>[0]) => secrets.read(value),
    secretLine: (value: Parameters<typeof secrets.read>[0]) => secrets.readLine(value),
    signal,
    surroundings: ifSet(vaultId, (id) => ({
      leaveOut: ownDirectories(config),
      memoryOf: (name: string) => sourceMemory(config.state, id, name, output),
      onNote: () => undefined,
    })),
  }
  try {
    return await findSourceType(source.type).check(source, context)
  } catch (error) {
    signal.throwIfAborted()
    return [failureOf(error)]
  }
}

async function checkNotify(config: LoadedConfig, cli: CliContext, send: boolean): Promise<Examined[]> {
  const subject = 'notify'
  const { notify = [] } = config
  if (notify.length === 0)
    return [
      {
        subject,
        state: 'warning',
        message: 'not configured: nobody is notified when a backup fails',
        hint: 'Add a webhook, an e-mail address, a command or a ping to `notify`.',
      },
    ]
  if (!send) return [{ subject, state: 'ok', message: 'not tried: --no-notify' }]
  const tested = await new Notifier(config, cli).test()
  return tested.map(({ channel, error, isPrivate }): Examined => {
    const about = { subject: `notify ${channel}` }
    if (error) return { ...about, ...failureOf(error) }
    if (isPrivate) return { ...about, state: 'ok', message: 'took a test message' }
    const message = 'took a test message, in the clear: whoever is on the way can read it, and its address'
    return { ...about, state: 'warning', message, hint: 'Use https://.' }
  })
}

/** What the last week has brought to each sink that can be listed. */
async function weeklyGrowth(
  config: LoadedConfig,
  { sinks }: OpenSinks,
  { signal }: CliContext,
): Promise<ReadonlyMap<string, number>> {
  const host = await findHost(config.hostKey).catch(() => undefined)
  if (!host) return new Map()
  const { vaultId, keys } = host
  const status = await vaultStatus({ vaultId, keys, sinks, signal })
  return new Map(status.sinks.map(({ name, bytesNew }) => [name, bytesNew.week]))
}

/** The subject says it. */
function withoutName(finding: Finding, name: string): Finding {
  return {
    ...finding,
    message: finding.message.replace(`sink "${name}": `, '').replace(`sink "${name}" `, ''),
  }
}
