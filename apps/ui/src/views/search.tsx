import { useState } from 'preact/hooks'
import type { Found, Snapshot } from '../api.ts'
import { withQuery } from '../ask.ts'
import { formatTime, plural } from '../format.ts'
import { Answered } from '../parts/answered.tsx'
import { EntryCells } from '../parts/entry-cells.tsx'
import { Notice, Warnings } from '../parts/notice.tsx'
import { VirtualList } from '../parts/virtual-list.tsx'
import { linkTo } from '../route.ts'
import { useAnswer } from '../use-answer.ts'

type FoundEntry = Found['found'][number]

/** What matches a pattern, in one snapshot or in all. */
export function Search({
  pattern,
  snapshot,
  snapshots,
  onClose,
  onSession,
}: {
  readonly pattern: string
  readonly snapshot: string
  readonly snapshots: readonly Snapshot[]
  readonly onClose: () => void
  readonly onSession: () => void
}) {
  const [isEverywhere, setEverywhere] = useState(false)
  const answer = useAnswer<Found>(
    withQuery('find', { pattern, snapshot: isEverywhere ? undefined : snapshot }),
  )
  const times = new Map(snapshots.map(({ id, time }) => [id, time]))
  // The newest that has it is the one to get it from.
  const newestOf = (found: FoundEntry): string => found.snapshots.at(-1) ?? snapshot
  return (
    <>
      <div class="bar">
        <label class="check">
          <input type="checkbox" checked={isEverywhere} onChange={() => setEverywhere(!isEverywhere)} /> In
          all snapshots
        </label>
        <button type="button" onClick={onClose}>
          Back to the directory
        </button>
      </div>
      <Answered answer={answer} why="Lists of files can only be opened with it." onSession={onSession}>
        {({ found, isCut, searched, warnings }) => (
          <>
            <Warnings lines={warnings} />
            {isCut ? (
              <Notice tone="look">
                More match: these are the first {found.length}. A longer pattern finds fewer.
              </Notice>
            ) : null}
            <p role="status">
              {found.length === 0 ? 'Nothing matches' : plural(found.length, 'match', 'matches')} in{' '}
              {plural(searched, 'snapshot')}
            </p>
            <VirtualList
              label="Matches"
              heads={HEADS}
              kind="matches"
              rows={found}
              keyOf={(entry) => `${entry.path} ${newestOf(entry)}`}
              row={(entry, tabIndex) => (
                <>
                  <EntryCells snapshot={newestOf(entry)} entry={entry} tabIndex={tabIndex} />
                  <span role="gridcell" class="wide">
                    {isEverywhere ? (
                      <a href={linkTo('browse', newestOf(entry))} tabIndex={tabIndex}>
                        {rangeOf(entry, times)}
                      </a>
                    ) : null}
                  </span>
                </>
              )}
            />
          </>
        )}
      </Answered>
    </>
  )
}

const HEADS = ['Path', 'Size', 'Changed', 'Mode', 'Owner', 'Get', 'In']

function rangeOf({ snapshots }: FoundEntry, times: ReadonlyMap<string, string>): string {
  const [first, last] = [times.get(snapshots[0] ?? ''), times.get(snapshots.at(-1) ?? '')]
  if (first === undefined || last === undefined) return plural(snapshots.length, 'snapshot')
  return snapshots.length === 1 ? formatTime(first) : `${snapshots.length}, to ${formatTime(last)}`
}
