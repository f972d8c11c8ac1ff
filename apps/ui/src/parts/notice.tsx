import type { ComponentChildren } from 'preact'
import type { AskError } from '../ask.ts'

/** Something to read before all else. */
export function Notice({
  tone,
  children,
}: {
  readonly tone: 'good' | 'look' | 'bad' | 'plain'
  readonly children: ComponentChildren
}) {
  return (
    <div class={`notice ${tone}`} role={tone === 'bad' ? 'alert' : undefined}>
      {children}
    </div>
  )
}

export function Failure({ error }: { readonly error: AskError }) {
  return (
    <Notice tone="bad">
      <strong>{error.message}</strong>
      {error.hint === undefined ? null : <p>{error.hint}</p>}
    </Notice>
  )
}

/** What a command would have warned of. */
export function Warnings({ lines }: { readonly lines: readonly string[] }) {
  if (lines.length === 0) return null
  return (
    <Notice tone="look">
      <ul>
        {lines.map((line) => (
          <li key={line}>{line}</li>
        ))}
      </ul>
    </Notice>
  )
}
