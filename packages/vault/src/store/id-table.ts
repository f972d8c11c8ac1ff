/**
 * Finds entries by id: an open-addressed table of their numbers, 5 to 11 bytes for each entry. Ids are keyed hashes: any four of their bytes
 * spread well. Whether an entry that begins like an id has it is left to who knows the entries.
 */
export class IdTable {
  /** Numbers from 1 on; 0 is an empty slot. */
  #slots = new Uint32Array(1024)
  #size = 0
  readonly #hashOf: (number: number) => number

  /** @param hashOf - `hashOfId` of the entry with this number */
  constructor(hashOf: (number: number) => number) {
    this.#hashOf = hashOf
  }

  /** How many entries there are: their numbers are 0 to one less. */
  get size(): number {
    return this.#size
  }

  /** The numbers of entries that may have an id, in the order in which they were added. */
  *mayHave(id: Uint8Array): Generator<number, void> {
    const mask = this.#slots.length - 1
    let slot = hashOfId(id) & mask
    for (let found = this.#slots[slot]; found; found = this.#slots[slot]) {
      yield found - 1
      slot = (slot + 1) & mask
    }
  }

  /** Adds the next entry, of which `hashOf` knows already; its number is the size before. */
  add(): void {
    if (this.#size * 4 >= this.#slots.length * 3) this.#grow()
    this.#put(this.#size++)
  }

  #put(number: number): void {
    const mask = this.#slots.length - 1
    let slot = this.#hashOf(number) & mask
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask
    this.#slots[slot] = number + 1
  }

  #grow(): void {
    this.#slots = new Uint32Array(this.#slots.length * 2)
    for (let number = 0; number < this.#size; number++) this.#put(number)
  }
}

/** The first four bytes of an id. @param at - where it is in `bytes` */
export function hashOfId(bytes: Uint8Array, at: number = 0): number {
  const byte = (i: number) => bytes[at + i] ?? 0
  return byte(0) | (byte(1) << 8) | (byte(2) << 16) | (byte(3) << 24)
}
