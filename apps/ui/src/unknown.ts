/** What a command prints has more in it than the page needs: these take out of it what is there. */

export function fieldOf(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? new Map(Object.entries(value)).get(key) : undefined
}

export function textOf(value: unknown, key: string): string {
  const field = fieldOf(value, key)
  return typeof field === 'string' ? field : ''
}

/** 0 where there is none. */
export function numberOf(value: unknown, key: string): number {
  const field = fieldOf(value, key)
  return typeof field === 'number' ? field : 0
}

export function listOf(value: unknown, key: string): readonly unknown[] {
  const field = fieldOf(value, key)
  return Array.isArray(field) ? field : []
}
