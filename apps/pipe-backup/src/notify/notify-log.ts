import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Delivery, Reminders } from '@pipe-backup/notify'

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

/** One that is lost or damaged is begun anew: something may be told twice. */
export async function readNotifyLog(stateDirectory: string): Promise<NotifyLog> {
  try {
    const saved: unknown = JSON.parse(await readFile(fileOf(stateDirectory), 'utf8'))
    const isLog = typeof saved === 'object' && saved !== null && 'reminders' in saved && 'pending' in saved
    // This program alone writes it.
    return isLog ? { ...EMPTY, ...(saved as NotifyLog) } : EMPTY
  } catch {
    return EMPTY
  }
}

export async function writeNotifyLog(stateDirectory: string, log: NotifyLog): Promise<void> {
  const file = fileOf(stateDirectory)
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  await writeFile(`${file}.new`, `${JSON.stringify(log)}\n`, { mode: 0o600 })
  await rename(`${file}.new`, file)
}
