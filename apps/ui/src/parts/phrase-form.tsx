import { useId, useRef, useState } from 'preact/hooks'
import type { Session } from '../api.ts'
import { type AskError, send } from '../ask.ts'
import { toAskError } from '../use-answer.ts'
import { Failure } from './notice.tsx'

/** Asks for the recovery phrase. It goes to the program on this machine, and is not kept by the page. */
export function PhraseForm({ why, onUnlocked }: { readonly why: string; readonly onUnlocked: () => void }) {
  const id = useId()
  const field = useRef<HTMLInputElement>(null)
  const [isShown, setShown] = useState(false)
  const [isOpening, setOpening] = useState(false)
  const [error, setError] = useState<AskError>()

  const submit = async (event: Event): Promise<void> => {
    event.preventDefault()
    const phrase = field.current?.value ?? ''
    setOpening(true)
    setError(undefined)
    try {
      await send<Session>('phrase', { phrase })
      if (field.current) field.current.value = ''
      onUnlocked()
    } catch (caught) {
      setError(toAskError(caught))
      field.current?.focus()
    } finally {
      setOpening(false)
    }
  }

  const words = {
    id,
    ref: field,
    autocomplete: 'off',
    autocapitalize: 'off',
    spellcheck: false,
    required: true,
  } as const
  return (
    <form class="card phrase" onSubmit={(event) => void submit(event)}>
      <h2>The recovery phrase is needed</h2>
      <p>
        {why} It goes to the program on this machine alone, which forgets it at once and what it opens after
        15 minutes without use.
      </p>
      <label for={id}>Recovery phrase: 24 words</label>
      <div class="with-button">
        {isShown ? <input type="text" {...words} /> : <input type="password" {...words} />}
        <button type="button" aria-pressed={isShown} onClick={() => setShown(!isShown)}>
          Show
        </button>
      </div>
      {error ? <Failure error={error} /> : null}
      <button type="submit" class="main" disabled={isOpening}>
        {isOpening ? 'Opening…' : 'Open the vault'}
      </button>
    </form>
  )
}
