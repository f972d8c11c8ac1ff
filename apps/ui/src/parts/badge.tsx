const TONES: Readonly<Record<string, { readonly tone: string; readonly sign: string }>> = {
  ok: { tone: 'good', sign: '✓' },
  behind: { tone: 'look', sign: '↻' },
  incomplete: { tone: 'look', sign: '!' },
  none: { tone: 'look', sign: '–' },
  damaged: { tone: 'bad', sign: '✕' },
  failed: { tone: 'bad', sign: '✕' },
}

/** A state in a word, with a colour and a sign. */
export function Badge({ state, word = state }: { readonly state: string; readonly word?: string }) {
  const { tone, sign } = TONES[state] ?? { tone: 'plain', sign: '·' }
  return (
    <span class={`badge ${tone}`}>
      <span aria-hidden="true">{sign}</span> {word}
    </span>
  )
}
