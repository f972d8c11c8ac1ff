import { useCallback, useEffect, useState } from 'preact/hooks'
import { AskError, ask } from './ask.ts'

export interface Answer<Of> {
  /** What came last; stays while it is asked for again. */
  readonly value: Of | undefined
  readonly error: AskError | undefined
  readonly isLoading: boolean
  readonly reload: () => void
}

/**
 * What the program says to a question, asked again when the question changes.
 * @param path - `undefined`: nothing is asked
 * @param version - another number: the same is asked again
 */
export function useAnswer<Of>(path: string | undefined, version = 0): Answer<Of> {
  const [state, setState] = useState<{ path?: string; value?: Of; error?: AskError; isLoading: boolean }>({
    isLoading: path !== undefined,
  })
  const [round, setRound] = useState(0)
  const reload = useCallback(() => setRound((before) => before + 1), [])
  useEffect(() => {
    if (path === undefined) return
    const left = new AbortController()
    setState((before) => ({ ...(before.path === path && { value: before.value }), path, isLoading: true }))
    ask<Of>(path, { signal: left.signal }).then(
      (value) => setState({ path, value, isLoading: false }),
      (error: unknown) => {
        if (left.signal.aborted) return
        setState({ path, error: toAskError(error), isLoading: false })
      },
    )
    return () => left.abort()
  }, [path, round, version])
  const isCurrent = state.path === path
  return {
    value: isCurrent ? state.value : undefined,
    error: isCurrent ? state.error : undefined,
    isLoading: path !== undefined && (!isCurrent || state.isLoading),
    reload,
  }
}

export function toAskError(error: unknown): AskError {
  if (error instanceof AskError) return error
  return new AskError({ code: 'bug', message: error instanceof Error ? error.message : String(error) })
}
