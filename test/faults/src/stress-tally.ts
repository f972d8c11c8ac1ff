/** Counts by name. */
export class Tally {
  readonly counts: Map<string, number> = new Map()

  add(name: string, by = 1): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + by)
  }

  get total(): number {
    return [...this.counts.values()].reduce((sum, count) => sum + count, 0)
  }

  addAll({ counts }: Pick<Tally, 'counts'>): void {
    for (const [name, count] of counts) this.add(name, count)
  }
}

/** What a stress has done and looked at. */
export class StressTally {
  readonly steps: Tally = new Tally()
  readonly faults: Tally = new Tally()
  readonly interruptions: Tally = new Tally()
  readonly damages: Tally = new Tally()
  readonly attacks: Tally = new Tally()
  episodes = 0
  /** Snapshots that were restored and compared, and the bytes of their files. */
  restored = 0
  bytesCompared = 0
  /** Snapshots that the harm which was done has taken from all sinks: allowed, and not asked for any more. */
  harmed = 0

  addAll(other: StressTally): void {
    for (const name of ['steps', 'faults', 'interruptions', 'damages', 'attacks'] as const)
      this[name].addAll(other[name])
    for (const name of ['episodes', 'restored', 'bytesCompared', 'harmed'] as const) this[name] += other[name]
  }
}
