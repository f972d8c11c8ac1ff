import { join } from 'node:path'
import type { Delivery, Notice, Reminders } from '@pipe-backup/notify'
import { readStateFile } from '@pipe-backup/vault'
import { writeState } from '../state/write-state.ts'

/** What is remembered from one command to the next. JSON, in the state directory. */
export interface NotifyLog {
  readonly reminders: Reminders
  readonly pending: Delivery['pending']
  /** When each source and sink was good last, ISO 8601: `source wallet`, `sink aws`. */
  readonly lastGood: Readonly<Record<string, string>>
  /** When each of them was first looked at. */
  readonly watchedSince: Readonly<Record<string, string>>
}

const EMPTY: NotifyLog = { reminders: {}, pending: {}, lastGood: {}, watchedSince: {} }

function fileOf(stateDirectory: string): string {
  return join(stateDirectory, 'notify.json')
}

/** One that is lost or damaged is begun again: something may be reported twice. */
export async function readNotifyLog(stateDirectory: string): Promise<NotifyLog> {
  try {
    const saved: unknown = await readStateFile(fileOf(stateDirectory))
    if (!isRecord(saved)) return EMPTY
    const { reminders, pending, lastGood, watchedSince } = saved
    const isBad = (bad: unknown): bad is NotifyLog['reminders'][string] =>
      isRecord(bad) &&
      ['level', 'message', 'since', 'notifiedAt'].every((key) => typeof bad[key] === 'string')
    const isNotice = (notice: unknown): notice is Notice =>
      isRecord(notice) && ['level', 'subject', 'message'].every((key) => typeof notice[key] === 'string')
    const isDue = (due: unknown): due is readonly Notice[] => Array.isArray(due) && due.every(isNotice)
    const isTime = (time: unknown): time is string =>
      typeof time === 'string' && !Number.isNaN(Date.parse(time))
    return {
      reminders: only(reminders, isBad),
      pending: only(pending, isDue),
      lastGood: only(lastGood, isTime),
      watchedSince: only(watchedSince, isTime),
    }
  } catch {
    return EMPTY
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

/** What can be used of it: the rest must not keep anybody from being notified. */
function only<T>(value: unknown, isUsable: (item: unknown) => item is T): Readonly<Record<string, T>> {
  if (!isRecord(value)) return {}
  const usable: [string, T][] = []
  for (const [key, item] of Object.entries(value)) if (isUsable(item)) usable.push([key, item])
  return Object.fromEntries(usable)
}

/** @throws CommandError `no-state` */
export async function writeNotifyLog(stateDirectory: string, log: NotifyLog): Promise<void> {
  await writeState(fileOf(stateDirectory), log)
}
