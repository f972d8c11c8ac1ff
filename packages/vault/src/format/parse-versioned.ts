import { isObject } from '../is-object.ts'
import { VaultError } from '../vault-error.ts'

/**
 * Parses the JSON of a sealed object, which says its version.
 * @param key - the object's, for messages
 * @returns undefined for what is no JSON
 * @throws VaultError `unsupported-version` for one that is newer than this program knows, naming the key
 */
export function parseVersioned(key: string, content: Buffer): unknown {
  let value: unknown
  try {
    value = JSON.parse(content.toString())
  } catch {
    return undefined
  }
  if (isObject(value) && typeof value['version'] === 'number' && value['version'] > 1)
    throw new VaultError(
      'unsupported-version',
      `${key} has the version ${value['version']}: a newer pipe-backup wrote it`,
      { key, hint: 'Update this program.' },
    )
  return value
}
