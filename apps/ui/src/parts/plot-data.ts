export interface Point {
  readonly time: string
  readonly value: number
}

/** A line of a plot. */
export interface Line {
  readonly name: string
  /** Oldest first. */
  readonly points: readonly Point[]
}

/** One column of times, in seconds since 1970, and beside it one of values for each line; `null` where a line has none. */
export type Columns = [times: number[], ...values: (number | null)[][]]

/** Lines, each with times of its own, as columns with one. */
export function columnsOf(lines: readonly Line[]): Columns {
  const seconds = ({ time }: Point): number => Date.parse(time) / 1000
  const times = [...new Set(lines.flatMap(({ points }) => points.map(seconds)))].sort((a, b) => a - b)
  const values = lines.map(({ points }) => {
    const known = new Map(points.map((point) => [seconds(point), point.value]))
    return times.map((time) => known.get(time) ?? null)
  })
  return [times, ...values]
}

/** The last point of each day of this machine, newest first: what is worth a row of a table. */
export function daysOf<Row extends { readonly time: string }>(points: readonly Row[]): Row[] {
  const last = new Map(points.map((point) => [new Date(point.time).toDateString(), point]))
  return [...last.values()].reverse()
}
