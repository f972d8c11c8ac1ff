import { useId } from 'preact/hooks'
import type { Snapshot } from '../api.ts'
import { formatAgo, formatTime } from '../format.ts'

export function SnapshotPicker({
  label,
  snapshots,
  value,
  onChange,
}: {
  readonly label: string
  readonly snapshots: readonly Snapshot[]
  readonly value: string
  readonly onChange: (id: string) => void
}) {
  const id = useId()
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <select id={id} value={value} onChange={(event) => onChange(event.currentTarget.value)}>
        {snapshots.map((snapshot) => (
          <option key={snapshot.id} value={snapshot.id}>
            {formatTime(snapshot.time)} · {formatAgo(snapshot.time)} · {snapshot.host} ·{' '}
            {snapshot.id.slice(0, 8)}
          </option>
        ))}
      </select>
    </div>
  )
}
