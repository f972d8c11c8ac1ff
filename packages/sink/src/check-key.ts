import { SinkError } from './sink-error.ts'

const KEY = /^(?=.{1,200}$)[a-z0-9_-][a-z0-9._-]*(?:\/[a-z0-9_-][a-z0-9._-]*)*$/

/** Whether a name can be an object's key: see `Sink`. Checked of what goes in, and of what listings bring back. */
export function isKey(name: string): boolean {
  return KEY.test(name)
}

/** @throws SinkError `refused-key` */
export function checkKey(key: string, sink: string): void {
  if (!isKey(key))
    throw new SinkError('refused-key', `${JSON.stringify(key.slice(0, 210))} can't be a key`, { sink })
}
