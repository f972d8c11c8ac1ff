import { SinkError } from '@pipe-backup/sink'

/** What a remote can say of what it holds, best first. */
export const HASHES = ['sha256', 'sha1', 'md5'] as const
export type Hash = (typeof HASHES)[number]

/** Of `rclone lsjson`: an object or a directory. */
export interface Listed {
  readonly Path: string
  readonly Size: number
  readonly ModTime: string
  readonly IsDir: boolean
  readonly Hashes?: Readonly<Partial<Record<Hash, string>>> | undefined
}

/** @throws SinkError `protocol` for what `rclone lsjson` never says */
export function parseListed(json: string, sink: string): Listed {
  const listed = parse(json)
  if (isListed(listed)) return listed
  throw new SinkError('protocol', 'rclone lists what is no object', { sink })
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}

function isListed(value: unknown): value is Listed {
  if (typeof value !== 'object' || value === null) return false
  const { Path, Size, ModTime, IsDir, Hashes = {} } = value as Partial<Record<keyof Listed, unknown>>
  return (
    typeof Path === 'string' &&
    typeof Size === 'number' &&
    typeof ModTime === 'string' &&
    typeof IsDir === 'boolean' &&
    typeof Hashes === 'object' &&
    Object.values(Hashes ?? {}).every((hash) => typeof hash === 'string')
  )
}
