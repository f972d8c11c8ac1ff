import type { ComponentChildren } from 'preact'
import type { Answer } from '../use-answer.ts'
import { Failure } from './notice.tsx'
import { PhraseForm } from './phrase-form.tsx'

/** What is shown of an answer: itself, that it is on its way, why there is none, or what to give for it. */
export function Answered<Of>({
  answer,
  children,
  why,
  onSession,
}: {
  readonly answer: Answer<Of>
  readonly children: (value: Of) => ComponentChildren
  /** What the phrase is needed for. */
  readonly why: string
  readonly onSession: () => void
}) {
  const { value, error, isLoading, reload } = answer
  if (error?.code === 'locked-vault')
    return (
      <PhraseForm
        why={why}
        onUnlocked={() => {
          onSession()
          reload()
        }}
      />
    )
  if (error) return <Failure error={error} />
  if (value !== undefined) return <div aria-busy={isLoading}>{children(value)}</div>
  return (
    <p class="loading" role="status">
      Reading the sinks…
    </p>
  )
}
