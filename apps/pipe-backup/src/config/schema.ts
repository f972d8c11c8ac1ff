import type { Policy } from '@pipe-backup/retention'
import { z } from 'zod'
import type { NotifyType } from '../providers/notify-type.ts'
import * as notifyTypes from '../providers/notify-types.ts'
import type { SinkType } from '../providers/sink-type.ts'
import * as sinkTypes from '../providers/sink-types.ts'
import type { SourceType } from '../providers/source-type.ts'
import * as sourceTypes from '../providers/source-types.ts'
import { parseCron } from '../schedule/cron-expression.ts'
import { strictObject } from './strict-object.ts'
import { command, duration, filePath, name, size, text } from './values.ts'

const SINKS: ReadonlyMap<string, SinkType> = byType(Object.values(sinkTypes))
const SOURCES: ReadonlyMap<string, SourceType> = byType(Object.values(sourceTypes))
const NOTIFICATIONS: ReadonlyMap<string, NotifyType> = byType(Object.values(notifyTypes))

/** @throws RangeError for a type that the schema would have refused */
export function findSinkType(type: string): SinkType {
  return known(SINKS, type)
}

/** @throws RangeError for a type that the schema would have refused */
export function findSourceType(type: string): SourceType {
  return known(SOURCES, type)
}

/** @throws RangeError for a type that the schema would have refused */
export function findNotifyType(type: string): NotifyType {
  return known(NOTIFICATIONS, type)
}

const count = z.number().int().min(0)

const keep = strictObject({
  last: count.optional().describe('The newest ones'),
  hourly: count.optional(),
  daily: count.optional(),
  weekly: count.optional(),
  monthly: count.optional(),
  yearly: count.optional(),
  within: duration.optional().describe('All that are no older than this before the newest'),
} satisfies Record<keyof Policy, z.ZodType>).refine(
  (rules) => Object.keys(rules).length === 0 || Object.values(rules).some((rule) => rule !== 0),
  'keeps nothing at all: say how many, such as hourly: 24',
)

/** A crontab's time, or what is wrong with it. */
const cron = text.superRefine((value, context) => {
  try {
    parseCron(value)
  } catch (error) {
    context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : String(error) })
  }
})

const metrics = strictObject({
  file: filePath
    .refine(
      (value) => value.endsWith('.prom'),
      "must end in .prom: node_exporter's textfile collector reads no others",
    )
    .optional()
    .describe("A file in the directory of node_exporter's textfile collector, written after each command"),
  port: z
    .number()
    .int()
    .min(1)
    .max(65_535)
    .optional()
    .describe('Where `daemon` serves /metrics, on 127.0.0.1'),
}).refine(
  ({ file, port }) => file !== undefined || port !== undefined,
  'says neither where to write (file) nor where to serve (port)',
)

/** What a configuration may hold. */
export const configSchema = strictObject({
  $schema: z.string().optional().describe('For editors'),
  vault: name
    .default('default')
    .describe('What this vault is called on this host: names the host key file and the state directory'),
  copies: z
    .number()
    .int()
    .min(1)
    .optional()
    .describe('How many sinks must hold a snapshot for a run to have succeeded. Default: all, at most 3'),
  host: text.optional().describe("What this host is called in snapshots. Default: the machine's name"),
  hostKey: filePath
    .optional()
    .describe('The host key file. Default: VAULT.key in the configuration directory'),
  state: filePath
    .optional()
    .describe('A directory for caches and the lock. Losing it costs time, never data'),
  schedule: cron
    .optional()
    .describe('When to back up, as in a crontab, or @hourly, @daily …: for `schedule install` and `daemon`'),
  verify: z
    .union([z.literal(false), strictObject({ within: duration.optional() })])
    .optional()
    .describe(
      'Within which time scheduled runs prove every byte of every sink, a sample at a time. Default 7d; false: never',
    ),
  window: size
    .optional()
    .describe(
      'Memory for what is ready to be sent and waits for slower sinks, beside some 220 MiB that a run takes anyway. Default 32MiB',
    ),
  before: command.optional().describe('A command to run before each run; when it fails nothing is backed up'),
  after: command
    .optional()
    .describe(
      'A command to run after each run, with PIPE_BACKUP_OUTCOME=ok|warning|failed in its environment',
    ),
  sources: z
    .array(oneOf('source type', [...SOURCES.values()]))
    .default([])
    .describe('What is read'),
  sinks: z
    .array(oneOf('sink type', [...SINKS.values()]))
    .min(1, 'must have at least one sink')
    .describe('Where it is kept'),
  keep: keep.optional().describe('How many snapshots of each kind `prune` keeps'),
  grace: duration
    .optional()
    .describe('How long what no snapshot needs is left on the sinks before `prune` deletes it. Default 1d'),
  compact: z
    .boolean()
    .optional()
    .describe(
      'Whether scheduled prunes also move what is live out of packs that are mostly dead. Default true',
    ),
  metrics: metrics.optional().describe('How commands, sources and sinks fare, for Prometheus'),
  notify: z
    .array(oneOf('notification type', [...NOTIFICATIONS.values()]))
    .optional()
    .describe('Who is notified of what failed: at once, then daily, and when it works again'),
}).meta({ title: 'pipe-backup configuration' })

/** A configuration as it was accepted, defaults filled in. */
export type Config = Readonly<z.output<typeof configSchema>>

function oneOf<Shape extends z.ZodRawShape>(
  what: string,
  types: readonly { readonly type: string; readonly schema: z.ZodObject<Shape> }[],
) {
  const [first, ...rest] = types.map(({ schema }) => schema)
  if (first === undefined) throw new RangeError(`there is no ${what}`)
  return z.discriminatedUnion('type', [first, ...rest], {
    error: unknownType(
      what,
      types.map(({ type }) => type),
    ),
  })
}

function unknownType(what: string, known: readonly string[]): z.core.$ZodErrorMap {
  return (issue) => {
    if (issue.code !== 'invalid_union') return undefined
    const input: unknown = issue.input
    const type = typeof input === 'object' && input !== null && 'type' in input ? input.type : undefined
    const list = known.toSorted().join(', ')
    if (type === undefined) return `has no type; known: ${list}`
    return `unknown ${what} ${JSON.stringify(type)}; known: ${list}`
  }
}

function byType<T extends { readonly type: string }>(types: readonly T[]): ReadonlyMap<string, T> {
  return new Map(types.map((type) => [type.type, type]))
}

function known<T>(types: ReadonlyMap<string, T>, type: string): T {
  const found = types.get(type)
  if (found === undefined) throw new RangeError(`unknown type ${type}`)
  return found
}
