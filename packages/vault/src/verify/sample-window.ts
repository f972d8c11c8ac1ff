/** A part of all packs' names, which are spread evenly from 0 to 1; one that reaches beyond 1 goes on at 0. */
export interface SampleWindow {
  readonly from: number
  readonly part: number
}

/** @param name - of a pack */
export function isWithin(name: string, { from, part }: SampleWindow): boolean {
  const at = Number.parseInt(name.slice(0, 12), 16) / 2 ** 48
  return at >= from ? at < from + part : at + 1 < from + part
}
