import { useState } from 'preact/hooks'
import type { Differences as Compared, Snapshots as Listed, Snapshot } from '../api.ts'
import { withQuery } from '../ask.ts'
import { formatBytes, formatCount } from '../format.ts'
import { Answered } from '../parts/answered.tsx'
import { downloadsOf } from '../parts/entry-cells.tsx'
import { Notice, Warnings } from '../parts/notice.tsx'
import { SnapshotPicker } from '../parts/snapshot-picker.tsx'
import { VirtualList } from '../parts/virtual-list.tsx'
import { linkTo } from '../route.ts'
import { useAnswer } from '../use-answer.ts'
import type { ViewProps } from './view-props.ts'

type Difference = Compared['differences'][number]
type Change = Difference['change']

/** What one snapshot has otherwise than another. */
export function DifferencesView({ rest, onSession, taskEnds }: ViewProps) {
  const answer = useAnswer<Listed>('snapshots', taskEnds)
  const [first, second] = rest
  return (
    <>
      <h1>Compare</h1>
      <Answered answer={answer} why="This host has no key of its own." onSession={onSession}>
        {({ snapshots, warnings }) => {
          const after = snapshots.find(({ id }) => id === second) ?? snapshots[0]
          const before = snapshots.find(({ id }) => id === first) ?? snapshots[1]
          return (
            <>
              <Warnings lines={warnings} />
              {before === undefined || after === undefined ? (
                <p>There are not two snapshots yet.</p>
              ) : (
                <Between snapshots={snapshots} before={before.id} after={after.id} onSession={onSession} />
              )}
            </>
          )
        }}
      </Answered>
    </>
  )
}

function Between({
  snapshots,
  before,
  after,
  onSession,
}: {
  readonly snapshots: readonly Snapshot[]
  readonly before: string
  readonly after: string
  readonly onSession: () => void
}) {
  const answer = useAnswer<Compared>(withQuery('differences', { before, after }))
  const go = (from: string, to: string): void => {
    location.hash = linkTo('differences', from, to)
  }
  return (
    <>
      <div class="fields">
        <SnapshotPicker label="From" snapshots={snapshots} value={before} onChange={(id) => go(id, after)} />
        <SnapshotPicker label="To" snapshots={snapshots} value={after} onChange={(id) => go(before, id)} />
      </div>
      <Answered
        answer={answer}
        why="What is in snapshots can only be compared with it."
        onSession={onSession}
      >
        {(compared) => <Shown compared={compared} before={before} after={after} />}
      </Answered>
    </>
  )
}

function Shown({
  compared,
  before,
  after,
}: {
  readonly compared: Compared
  readonly before: string
  readonly after: string
}) {
  const [only, setOnly] = useState<Change>()
  const { differences, totals, isCut, warnings } = compared
  const rows = only === undefined ? differences : differences.filter(({ change }) => change === only)
  const counts: readonly (readonly [Change | undefined, string])[] = [
    [undefined, 'All'],
    ['added', `${formatCount(totals.added)} added (${formatBytes(totals.addedBytes)})`],
    ['removed', `${formatCount(totals.removed)} removed (${formatBytes(totals.removedBytes)})`],
    ['changed', `${formatCount(totals.modified + totals.metadata)} changed`],
  ]
  return (
    <>
      <Warnings lines={warnings} />
      {isCut ? (
        <Notice tone="look">
          The counts are of all; the first {formatCount(differences.length)} are listed.
        </Notice>
      ) : null}
      <div class="choices" role="group" aria-label="Show">
        {counts.map(([change, text]) => (
          <button key={text} type="button" aria-pressed={only === change} onClick={() => setOnly(change)}>
            {text}
          </button>
        ))}
      </div>
      {rows.length === 0 ? <p role="status">Nothing differs.</p> : null}
      <VirtualList
        label="Differences"
        heads={HEADS}
        kind="differences"
        rows={rows}
        keyOf={({ entry }) => entry.path}
        row={(one, tabIndex) => (
          <Cells one={one} snapshot={one.change === 'removed' ? before : after} tabIndex={tabIndex} />
        )}
      />
    </>
  )
}

const HEADS = ['Change', 'Path', 'Before', 'After', 'What']
const SIGNS: Readonly<Record<Change, string>> = { added: '+', removed: '−', changed: '~' }

/** What has another content has another time, too: that says nothing more. */
function wordsOf(parts: readonly string[]): string {
  const isOther = parts.includes('content') || parts.includes('type')
  return parts
    .filter((part) => !(isOther && part === 'mtime'))
    .map((part) => (part === 'mtime' ? 'time' : part === 'attributes' ? 'extended attributes' : part))
    .join(', ')
}

function Cells({
  one,
  snapshot,
  tabIndex,
}: {
  readonly one: Difference
  readonly snapshot: string
  readonly tabIndex: number
}) {
  const { change, entry, sizeBefore, parts } = one
  const [download] = downloadsOf(snapshot, entry)
  const name = `${entry.shown ?? entry.name}${entry.type === 'directory' ? '/' : ''}`
  return (
    <>
      <span role="gridcell" class={`change ${change}`}>
        <span aria-hidden="true">{SIGNS[change]}</span> <span class="word">{change}</span>
      </span>
      <span role="gridcell" class="name">
        {download === undefined ? (
          <button type="button" class="bare" tabIndex={tabIndex}>
            {name}
          </button>
        ) : (
          <a
            href={entry.type === 'directory' ? linkTo('browse', snapshot, entry.path) : download.href}
            download={entry.type === 'directory' ? undefined : ''}
            tabIndex={tabIndex}
          >
            {name}
          </a>
        )}
      </span>
      <span role="gridcell" class="number wide">
        {sizeBefore === undefined ? '' : formatBytes(sizeBefore)}
      </span>
      <span role="gridcell" class="number">
        {change === 'removed' || entry.size === undefined ? '' : formatBytes(entry.size)}
      </span>
      <span role="gridcell" class="wide">
        {wordsOf(parts)}
      </span>
    </>
  )
}
