import type { Reminders } from '@pipe-backup/notify'
import type { LoadedConfig } from '../config/load-config.ts'
import type { NotifyLog } from './notify-log.ts'

/** The subjects of what must stay fresh. */
function watchedSubjects({ sources, sinks }: LoadedConfig): string[] {
  return [...sources.map(({ name }) => `source ${name}`), ...sinks.map(({ name }) => `sink ${name}`)]
}

/** When each source and sink was first looked at: one that never becomes good is old from then on. */
export function watchedSince(
  config: LoadedConfig,
  { watchedSince: known }: NotifyLog,
  now: Date,
): Record<string, string> {
  return Object.fromEntries(
    watchedSubjects(config).map((subject) => [subject, known[subject] ?? now.toISOString()]),
  )
}

/** Without what is about sources and sinks that the configuration no longer has: it would stay bad for ever. */
export function stillConfigured(reminders: Reminders, config: LoadedConfig): Reminders {
  const names = new Set([...config.sources, ...config.sinks].map(({ name }) => name))
  return Object.fromEntries(
    Object.entries(reminders).filter(([subject]) => {
      const [, name] = /^(?:age of )?(?:source|sink|verify|heal) (.+)$/.exec(subject) ?? []
      return name === undefined || names.has(name)
    }),
  )
}
