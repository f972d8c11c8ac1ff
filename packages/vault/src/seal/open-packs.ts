/** Data chunks go to one of so many open packs at random: the order and sizes of a file's chunks don't show in a pack's. */
export const OPEN_PACKS = 2
/** Manifest nodes have a pack of their own, so that `ls` need not fetch data; it is sent at this size. */
export const NODE_PACK_BYTES: number = 4 * 1024 * 1024
