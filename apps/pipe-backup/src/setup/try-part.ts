import { SinkError } from '@pipe-backup/sink'
import type { z } from 'zod'
import { findSinkType, findSourceType } from '../config/schema.ts'
import type { SecretConfig } from '../config/values.ts'
import { NEW_PLACE } from '../doctor/check-sink.ts'
import { type Finding, failureOf } from '../doctor/finding.ts'
import { refuseSharedLocations } from '../providers/shared-locations.ts'
import type { OpenContext, SinkConfig } from '../providers/sink-type.ts'
import type { SourceConfig } from '../providers/source-type.ts'
import { createSecretReader } from '../secrets/read-secret.ts'
import { errorLine } from '../terminal/error-line.ts'
import { escapeControls } from '../terminal/escape-bytes.ts'
import type { Asker } from './asker.ts'
import type { SecretDrawer } from './secret-drawer.ts'

/** What a source or sink is tried with before there is a configuration. */
export interface Trying {
  readonly drawer: SecretDrawer
  readonly env: NodeJS.ProcessEnv
  readonly path: (value: string) => string
  readonly signal: AbortSignal
}

/** What is asked for by name, and never there: a server that answers so has let us in. */
const ABSENT = 'probes/config-init'
/** Somebody waits at the terminal. */
const SILENT_SECONDS = 20

/** What a schema does not take, where no single answer is to blame. */
export function mistakesOf(error: z.ZodError): readonly Finding[] {
  return error.issues.map(({ path, message }) => ({
    state: 'failure',
    message: [...path, message].join(' '),
  }))
}

/** Whether a sink can be reached with what was answered, and is none of the others. Nothing is made or written there: that is `init`'s. */
export async function trySink(
  config: SinkConfig,
  others: readonly SinkConfig[],
  trying: Trying,
): Promise<readonly Finding[]> {
  try {
    await refuseSharedLocations({ sinks: [...others, config], path: trying.path, file: '' })
    const impatient = { ...config, retries: 0, timeout: SILENT_SECONDS }
    await using sink = await findSinkType(config.type).open(impatient, {
      ...contextOf(trying),
      create: false,
    })
    await sink.head(ABSENT, { signal: trying.signal })
    return [{ state: 'ok', message: 'it answers' }]
  } catch (error) {
    trying.signal.throwIfAborted()
    if (error instanceof SinkError && (error.isPlaceMissing || error.code === 'not-found'))
      return [{ state: 'ok', message: NEW_PLACE }]
    return [failureOf(error)]
  }
}

/** Tries what reading a source needs, as `doctor` does. */
export async function trySource(config: SourceConfig, trying: Trying): Promise<readonly Finding[]> {
  try {
    return await findSourceType(config.type).check(config, contextOf(trying))
  } catch (error) {
    trying.signal.throwIfAborted()
    return [failureOf(error)]
  }
}

const MARKS = { ok: 'ok', warning: 'WARNING', failure: 'FAILED' } as const

/** Prints what was found. @returns what to do: go on with it, ask again, or leave it out */
export async function judge(findings: readonly Finding[], asker: Asker): Promise<'keep' | 'again' | 'drop'> {
  for (const { state, message, hint } of findings)
    asker.say(
      `  ${MARKS[state]}: ${escapeControls(errorLine({ message, hint: state === 'ok' ? undefined : hint }))}`,
    )
  if (findings.every(({ state }) => state !== 'failure')) return 'keep'
  return await asker.choose('What now?', [
    { value: 'again', label: 'answer again' },
    { value: 'keep', label: 'keep it as it is' },
    { value: 'drop', label: 'leave it out' },
  ])
}

function contextOf({ drawer, env, path, signal }: Trying): OpenContext {
  // A copy: the reader takes variables out of what it is given, and more is to be tried.
  const read = async (value: SecretConfig, how: 'read' | 'readLine'): Promise<string> =>
    drawer.find(value) ?? (await createSecretReader(value, { env: { ...env }, path, signal })[how](value))
  return {
    path,
    signal,
    secret: (value) => read(value, 'read'),
    secretLine: (value) => read(value, 'readLine'),
  }
}
