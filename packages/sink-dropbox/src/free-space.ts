import { ApiFailure } from './api-failure.ts'
import type { DropboxApi } from './dropbox-api.ts'
import { isJsonObject, type JsonObject } from './json.ts'

/**
 * How many bytes the account, and in a team its member, has room for.
 * @returns undefined when that has no limit, or the login is one from before it asked for `account_info.read`
 * @see https://www.dropbox.com/developers/documentation/http/documentation#users-get_space_usage
 */
export async function freeSpace(api: DropboxApi, signal?: AbortSignal): Promise<number | undefined> {
  try {
    const { used, allocation } = await api.rpc((dropbox) => dropbox.usersGetSpaceUsage(), signal)
    return isJsonObject(allocation) ? freeOf(used, allocation) : undefined
  } catch (error) {
    if (error instanceof ApiFailure && error.has('missing_scope')) return undefined
    throw error
  }
}

function freeOf(used: unknown, allocation: JsonObject): number | undefined {
  const left = [roomIn(allocation['allocated'], allocation['.tag'] === 'team' ? allocation['used'] : used)]
  // Of the team's space, as much as this member may take; the other limits only warn. 0 is no limit.
  if (limitOf(allocation) === 'stop_sync')
    left.push(roomIn(allocation['user_within_team_space_allocated'] || undefined, used))
  const known = left.filter((bytes) => bytes !== undefined)
  return known.length === 0 ? undefined : Math.min(...known)
}

function limitOf({ user_within_team_space_limit_type: limit }: JsonObject): unknown {
  return isJsonObject(limit) ? limit['.tag'] : undefined
}

function roomIn(allocated: unknown, used: unknown): number | undefined {
  if (!Number.isSafeInteger(allocated) || !Number.isSafeInteger(used)) return undefined
  return Math.max(0, Number(allocated) - Number(used))
}
