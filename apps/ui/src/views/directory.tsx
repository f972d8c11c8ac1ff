import { useEffect, useId, useRef, useState } from 'preact/hooks'
import type { Children, Entry } from '../api.ts'
import { type AskError, ask, withQuery } from '../ask.ts'
import { plural } from '../format.ts'
import { ENTRY_HEADS, EntryCells } from '../parts/entry-cells.tsx'
import { Failure } from '../parts/notice.tsx'
import { PhraseForm } from '../parts/phrase-form.tsx'
import { VirtualList } from '../parts/virtual-list.tsx'
import { pathOf, stepsOf } from '../paths.ts'
import { linkTo } from '../route.ts'
import { toAskError } from '../use-answer.ts'

/** So long after the last key what was typed is looked for. */
const TYPING_MS = 150

interface Loaded {
  readonly entries: readonly Entry[]
  readonly next: string | null
}

/** What is in a directory, page by page as far as one looks. */
export function Directory({
  snapshot,
  path,
  onSession,
}: {
  readonly snapshot: string
  readonly path: string
  readonly onSession: () => void
}) {
  const [loaded, setLoaded] = useState<Loaded>()
  const [error, setError] = useState<AskError>()
  const [from, setFrom] = useState('')
  const [typed, setTyped] = useState('')
  const [round, setRound] = useState(0)
  const isLoading = useRef(false)
  const box = useRef<HTMLDivElement>(null)
  /** Another directory was opened from the list: who did so by the keyboard goes on in it. */
  const isFollowed = useRef(false)
  const field = useId()

  const load = async (begin: string | undefined, signal?: AbortSignal): Promise<Children> =>
    await ask<Children>(
      withQuery('children', { snapshot, path: path === '' ? undefined : path, from: begin }),
      signal ? { signal } : {},
    )

  useEffect(() => {
    setFrom('')
    setTyped('')
  }, [snapshot, path])

  useEffect(() => {
    const left = new AbortController()
    isLoading.current = true
    load(from === '' ? undefined : pathOf(new TextEncoder().encode(from)), left.signal).then(
      (children) => {
        isLoading.current = false
        setError(undefined)
        setLoaded(children)
      },
      (caught: unknown) => {
        if (left.signal.aborted) return
        isLoading.current = false
        setLoaded(undefined)
        setError(toAskError(caught))
      },
    )
    return () => left.abort()
  }, [snapshot, path, from, round])

  useEffect(() => {
    const timer = setTimeout(() => setFrom(typed), TYPING_MS)
    return () => clearTimeout(timer)
  }, [typed])

  useEffect(() => {
    if (!loaded || !isFollowed.current) return
    isFollowed.current = false
    box.current?.querySelector<HTMLElement>('.rows :is(a, button)')?.focus({ preventScroll: true })
  }, [loaded])

  const more = (): void => {
    if (isLoading.current || loaded?.next === undefined || loaded.next === null) return
    isLoading.current = true
    const before = loaded
    load(loaded.next).then(
      ({ entries, next }) => {
        isLoading.current = false
        // Another directory may have been opened meanwhile.
        setLoaded((now) => (now === before ? { entries: [...before.entries, ...entries], next } : now))
      },
      (caught: unknown) => {
        isLoading.current = false
        setError(toAskError(caught))
      },
    )
  }

  if (error?.code === 'locked-vault')
    return (
      <PhraseForm
        why="What is in a snapshot can only be read with it."
        onUnlocked={() => {
          setError(undefined)
          setRound(round + 1)
          onSession()
        }}
      />
    )
  const parent = path === '' ? undefined : stepsOf(path).at(-2)?.path
  return (
    <>
      {error ? <Failure error={error} /> : null}
      <div class="bar">
        <div class="field inline">
          <label for={field}>Go to names from</label>
          <input
            id={field}
            value={typed}
            disabled={path === ''}
            onInput={(event) => setTyped(event.currentTarget.value)}
            autocomplete="off"
            spellcheck={false}
          />
        </div>
        <p role="status">{loaded ? countOf(loaded) : 'Reading…'}</p>
      </div>
      <div
        ref={box}
        onClick={({ target }) => {
          if (target instanceof Element && target.matches('.name a:not([download])'))
            isFollowed.current = true
        }}
      >
        <VirtualList
          key={`${snapshot} ${path} ${from}`}
          label="Entries"
          heads={ENTRY_HEADS}
          kind="entries"
          rows={loaded?.entries ?? []}
          keyOf={(entry) => entry.path}
          row={(entry, tabIndex) => <EntryCells snapshot={snapshot} entry={entry} tabIndex={tabIndex} />}
          onNearEnd={more}
          {...(path !== '' && {
            onUp: () => {
              isFollowed.current = true
              location.hash = linkTo('browse', snapshot, ...(parent === undefined ? [] : [parent]))
            },
          })}
        />
      </div>
    </>
  )
}

function countOf({ entries, next }: Loaded): string {
  const count = plural(entries.length, 'entry', 'entries')
  return next === null ? count : `${count} so far, more below`
}
