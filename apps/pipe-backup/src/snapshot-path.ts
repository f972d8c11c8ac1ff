import { UsageError } from './usage-error.ts'

/**
 * A PATH argument as bytes: slashes at its ends and doubled ones do not matter.
 * @throws UsageError for an empty one, or one with `.` or `..` in it
 */
export function toSnapshotPath(argument: string): Uint8Array {
  const components = argument.split('/').filter((component) => component !== '')
  if (components.length === 0 || components.some((component) => component === '.' || component === '..')) {
    throw new UsageError(
      `${JSON.stringify(argument)} is no path in a snapshot`,
      "A path begins with its source's name: wallet/home/bot/.qrl/wallet.json",
    )
  }
  return Buffer.from(components.join('/'))
}

/** The name of the source that a path begins with. */
export function sourceOfPath(path: Uint8Array): string {
  const slash = path.indexOf(0x2f)
  return Buffer.from(slash < 0 ? path : path.subarray(0, slash)).toString()
}
