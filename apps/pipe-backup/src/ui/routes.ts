import type { HttpBindings } from '@hono/node-server'
import type { Retention, Session, Snapshots, TaskKind } from '@pipe-backup/ui/api'
import { listSnapshots } from '@pipe-backup/vault'
import { type Context, Hono } from 'hono'
import { streamSSE } from 'hono/streaming'
import { applyPolicy } from '../commands/prune.ts'
import { snapshotToJson } from '../commands/snapshots.ts'
import { readStatus } from '../status/read-status.ts'
import { statusToJson } from '../status/status-report.ts'
import { errorLine } from '../terminal/error-line.ts'
import { UsageError } from '../usage-error.ts'
import { childrenOf, differences, found, fromOf, topOf } from './browse.ts'
import { download } from './download.ts'
import { pathFromText } from './entry-json.ts'
import type { Keyring } from './keyring.ts'
import { needsPhrase, openUiListing, phraseKeys } from './listing-keys.ts'
import { maskedConfig } from './masked-config.ts'
import { type RequestCli, requestCli, type UiContext } from './request-cli.ts'
import { drillWork, restoreWork } from './snapshot-tasks.ts'
import type { Tasks, Work } from './tasks.ts'

const HEARTBEAT_MS = 15_000
const TASK_KINDS: readonly TaskKind[] = ['run', 'verify', 'heal', 'restore', 'drill']

/** What the requests of the page are answered from. */
export interface Served {
  readonly ui: UiContext
  readonly keyring: Keyring
  readonly tasks: Tasks
}

/** What the page asks for, below /api. Who may ask has been checked. */
export function createRoutes(served: Served): Hono<{ Bindings: HttpBindings }> {
  const { ui, keyring, tasks } = served
  const cliOf = (c: Context): RequestCli => requestCli(ui, c.req.raw.signal)
  const routes = new Hono<{ Bindings: HttpBindings }>()
  routes.get('/session', async (c) => c.json(await sessionOf(served)))
  routes.get('/overview', async (c) => {
    const { cli, warnings } = cliOf(c)
    const report = await readStatus(cli, async () => phraseKeys(keyring))
    return c.json({ ...statusToJson(report), warnings: warnings() })
  })
  routes.get('/snapshots', async (c) => c.json(await snapshotsOf(served, cliOf(c))))
  routes.post('/phrase', async (c) => {
    await keyring.unlock(fieldOf(await c.req.json(), 'phrase'))
    return c.json(await sessionOf(served))
  })
  routes.post('/phrase/forget', async (c) => {
    await keyring.forget()
    return c.json(await sessionOf(served))
  })
  routes.get('/children', async (c) => {
    const id = snapshotOf(c)
    const path = c.req.query('path')
    if (path === undefined || path === '') return c.json(await topOf(keyring, id))
    const from = fromOf(c.req.query('from'))
    return c.json(await childrenOf(keyring, id, pathFromText(path), from, c.req.raw.signal))
  })
  routes.get('/find', async (c) =>
    c.json(await found(keyring, c.req.query('pattern') ?? '', c.req.query('snapshot'), cliOf(c))),
  )
  routes.get('/differences', async (c) => {
    const { before = '', after = '' } = c.req.query()
    return c.json(await differences(keyring, [before, after], cliOf(c)))
  })
  routes.get('/download', async (c) => await download(c, ui, keyring))
  routes.post('/task', async (c) => {
    const body: unknown = await c.req.json()
    const asked = fieldOf(body, 'kind')
    const kind = TASK_KINDS.find((known) => known === asked)
    if (kind === undefined) throw new UsageError(`there is no task ${JSON.stringify(asked)}`)
    return c.json(tasks.start(kind, await workOf(kind, body, keyring)))
  })
  routes.post('/task/cancel', (c) => {
    tasks.cancel()
    return c.json({})
  })
  routes.get('/task/events', (c) =>
    streamSSE(c, async (stream) => {
      const left = AbortSignal.any([ui.cli.signal, c.req.raw.signal])
      let sent = Promise.resolve()
      const send = (data: string): void => {
        sent = sent.then(() => stream.writeSSE({ data })).catch(() => undefined)
      }
      using _listening = tasks.listen((event) => send(JSON.stringify(event)))
      // A page that is gone is found by what can't be sent to it.
      const heartbeat = setInterval(() => send('{}'), HEARTBEAT_MS)
      await new Promise<void>((resolve) => {
        if (left.aborted) resolve()
        left.addEventListener('abort', () => resolve(), { once: true })
        stream.onAbort(() => resolve())
      })
      clearInterval(heartbeat)
      await sent
    }),
  )
  routes.get('/retention', async (c) => c.json(await retentionOf(served, cliOf(c))))
  routes.get('/configuration', (c) => c.json(maskedConfig(ui.config)))
  return routes
}

async function sessionOf({ ui, keyring, tasks }: Served): Promise<Session> {
  const { config, cli } = ui
  return {
    vault: config.vault,
    host: config.host,
    program: cli.program,
    file: config.file,
    needsPhrase: await needsPhrase(ui),
    unlockedUntil: keyring.until?.toISOString() ?? null,
    task: tasks.task ?? null,
  }
}

async function snapshotsOf({ ui, keyring }: Served, request: RequestCli): Promise<object> {
  const { cli, warnings } = request
  await using opened = await openUiListing(ui, keyring, request)
  const { sinks, keys } = opened
  const onProblem = (error: Error): void => cli.output.warn(errorLine(error))
  const listed = await listSnapshots({ sinks, keys, withMarks: true, signal: cli.signal, onProblem })
  const names = sinks.map(({ name }) => name)
  return { snapshots: listed.map(snapshotToJson).reverse(), sinks: names, warnings: warnings() } satisfies {
    [Key in keyof Snapshots]: unknown
  }
}

async function retentionOf({ ui }: Served, { cli, warnings }: RequestCli): Promise<Retention> {
  const { report, seen, retention } = await applyPolicy(ui.config, undefined, cli, {
    dryRun: true,
    force: false,
  })
  const gone = new Set(report.removed)
  return {
    policy: Object.entries(ui.config.keep ?? {}).flatMap(([key, value]) =>
      value === undefined ? [] : [{ key, value: String(value) }],
    ),
    snapshots: seen
      .map(({ id, time, host }) => ({
        id,
        time: time.toISOString(),
        host,
        kept: gone.has(id) ? [] : (retention.kept.get(id) ?? ['kept']),
      }))
      .toReversed(),
    sinks: report.sinks.map(({ name, state, bytesBefore, bytesAfter, bytesFreed }) => ({
      name,
      state,
      bytesBefore,
      bytesAfter,
      bytesFreed,
    })),
    warnings: warnings(),
  }
}

/** What this process does itself: it needs the keys that are open in it. @throws LockedError; UsageError; CommandError `not-empty` */
async function workOf(kind: TaskKind, body: unknown, keyring: Keyring): Promise<Work | undefined> {
  switch (kind) {
    case 'run':
    case 'verify':
    case 'heal':
      return undefined
    case 'drill':
      return await drillWork(keyring, fieldOf(body, 'snapshot'))
    case 'restore': {
      const path = fieldOf(body, 'path')
      return await restoreWork(keyring, {
        snapshot: fieldOf(body, 'snapshot'),
        path: path === '' ? undefined : pathFromText(path),
        to: fieldOf(body, 'to'),
      })
    }
  }
}

function snapshotOf(c: Context): string {
  return c.req.query('snapshot') ?? ''
}

/** @throws UsageError where a request's body has no such text */
function fieldOf(body: unknown, field: string): string {
  const value: unknown =
    typeof body === 'object' && body !== null ? new Map(Object.entries(body)).get(field) : undefined
  if (typeof value === 'string') return value
  throw new UsageError(`the request has no ${field}`)
}
