/** Lines and columns are counted from 1. */
export interface Position {
  readonly line: number
  readonly column: number
}

export type ConfigPath = readonly PropertyKey[]

/** A configuration file's content before it is checked, and where in the file each part of it stands. */
export interface ConfigDocument {
  readonly value: unknown
  /**
   * Where a part of it begins, or the nearest part around it that has a place; `undefined` where the format gives none.
   * @param at - the value, or the key that leads to it
   */
  locate(path: ConfigPath, at: 'key' | 'value'): Position | undefined
  /** In formats where a text without quotes ends before a comment: that comment, from behind its `#`. */
  commentAfter?(path: ConfigPath): string | undefined
  /** How people write a path: `sinks[2].bucket`. */
  describe(path: ConfigPath): string
}

export function describePath(path: ConfigPath): string {
  let described = ''
  for (const step of path) {
    if (typeof step === 'number') described += `[${step}]`
    else
      described += `${described === '' ? '' : '.'}${/^[\w$-]+$/.test(String(step)) ? String(step) : JSON.stringify(step)}`
  }
  return described
}
