/** Shorter ones are part of ordinary words: hiding them would garble messages without protecting anything. */
const MIN_HIDDEN_LENGTH = 4

const hidden = new Set<string>()

/** From now on `redact` takes this secret out of texts, as itself and as it stands in an address. */
export function hide(secret: string): void {
  if (secret.length < MIN_HIDDEN_LENGTH) return
  hidden.add(secret)
  hidden.add(encodeURIComponent(secret))
}

/** From now on nothing here holds this secret: it is no longer used, and `redact` lets it pass. */
export function forget(secret: string): void {
  hidden.delete(secret)
  hidden.delete(encodeURIComponent(secret))
}

/** The last line of defence: errors of other people's libraries may quote what they were given. */
export function redact(text: string): string {
  let safe = text
  for (const secret of hidden) safe = safe.replaceAll(secret, '[secret]')
  return safe
}
