import type { Sink } from '@pipe-backup/sink'
import { findVault } from '@pipe-backup/vault'
import type { CliContext } from '../cli-context.ts'

/**
 * Finds the vault on sinks some of which may not be there yet: a directory that `init` will make does not answer.
 * @throws any other failure of a sink, where none holds a vault: before one is made it must be known that there is none
 */
export async function findVaultToJoin(
  sinks: readonly Sink[],
  { signal }: CliContext,
): Promise<Awaited<ReturnType<typeof findVault>>> {
  let inTheWay: Error | undefined
  const onProblem = (error: Error): void => {
    if (!isUnreachable(error)) inTheWay ??= error
  }
  const found = await findVault({ sinks, signal, onProblem }).catch((error: unknown) => {
    if (isUnreachable(error)) return undefined
    throw error
  })
  if (found === undefined && inTheWay !== undefined) throw inTheWay
  return found
}

function isUnreachable(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'unreachable'
}
