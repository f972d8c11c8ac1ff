/** Data chunks go to one of so many open packs at random: the order and sizes of a file's chunks don't show in a pack's. */
export const OPEN_PACKS = 2
/** A pack ends before the chunk that would make it longer. */
export const PACK_BYTES: number = 8 * 1024 * 1024
/** Manifest nodes have packs of their own, so that `ls` need not fetch data. */
export const NODE_PACK_BYTES: number = 2 * 1024 * 1024
