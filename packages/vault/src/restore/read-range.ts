import { decodeExtentNode } from '../format/decode-manifest-node.ts'
import type { Extents } from '../format/extents.ts'
import { mapAhead } from '../map-ahead.ts'
import { VaultError } from '../vault-error.ts'
import type { StoredFile } from './stored-file-reader.ts'
import { checkLevels, MAX_LEVELS, type ReadsChunks } from './walk-manifest.ts'

/** Of a file, what is asked for while the bytes before it are taken: a request waits for a sink, not each chunk for the one before. */
const AHEAD_BYTES = 4 * 1024 * 1024
const AHEAD_PIECES = 64

/** A part of a file: a piece of a chunk's plain bytes. */
interface Piece {
  readonly id: Uint8Array
  readonly offset: number
  readonly length: number
}

interface Wanted {
  readonly from: number
  readonly to: number
}

/**
 * The bytes of a file from `from` on and before `to`. Reads the chunks that have them, and of a long list of extents the nodes that lead
 * there; holds some 4 MiB of what comes next.
 * @yields pieces of chunks, not to be written to
 * @throws VaultError `corrupt` where the file is not as long as its entry says; as ChunkReader
 */
export async function* readRange(
  chunks: ReadsChunks,
  file: StoredFile,
  wanted: Wanted,
): AsyncGenerator<Uint8Array> {
  let left = wanted.to - wanted.from
  const read = async (piece: Piece) => ({ piece, plain: await chunks.read(piece.id) })
  const sizes = { of: ({ length }: Piece) => length, most: AHEAD_BYTES }
  const pieces = mapAhead(piecesOf(chunks, file, wanted), read, { atOnce: AHEAD_PIECES, sizes })
  for await (const { piece, plain } of pieces) {
    const { offset, length } = piece
    if (offset + length > plain.length)
      throw new VaultError('corrupt', 'a file uses more of a chunk than there is')
    left -= length
    yield plain.subarray(offset, offset + length)
  }
  if (left !== 0) throw corrupt(file)
}

async function* piecesOf(chunks: ReadsChunks, file: StoredFile, wanted: Wanted): AsyncGenerator<Piece> {
  const { content, size } = file
  if ('extents' in content) yield* cut(content.extents, 0, size, wanted)
  else yield* piecesOfTree(chunks, { id: content.treeRoot, from: 0, to: size }, wanted, MAX_LEVELS)
}

/** A node of a list of extents, and which bytes of the file it is for. */
interface ExtentNode extends Wanted {
  readonly id: Uint8Array
}

async function* piecesOfTree(
  chunks: ReadsChunks,
  { id, from, to }: ExtentNode,
  wanted: Wanted,
  levels: number,
): AsyncGenerator<Piece> {
  checkLevels(levels)
  const node = decodeExtentNode(await chunks.read(id))
  if (node.type === 'leaf') {
    yield* cut(node.extents, from, to, wanted)
    return
  }
  let at = from
  for (const child of node.children) {
    const end = at + child.bytes
    if (end > wanted.from && at < wanted.to)
      yield* piecesOfTree(chunks, { id: child.id, from: at, to: end }, wanted, levels - 1)
    at = end
  }
  if (at !== to) throw new VaultError('corrupt', 'a list of extents is not as long as it should be')
}

/** The wanted pieces of extents, which are all of the file from `from` on and before `to`. */
function* cut(extents: Extents, from: number, to: number, wanted: Wanted): Generator<Piece> {
  let total = 0
  for (let i = 0; i < extents.count; i++) total += extents.length(i)
  if (total !== to - from) throw new VaultError('corrupt', 'a list of extents is not as long as it should be')
  let at = from
  for (let i = 0; i < extents.count && at < wanted.to; i++) {
    const end = at + extents.length(i)
    const begin = Math.max(at, wanted.from)
    const length = Math.min(end, wanted.to) - begin
    if (length > 0) yield { id: extents.id(i), offset: extents.offset(i) + begin - at, length }
    at = end
  }
}

function corrupt({ path, size }: StoredFile): VaultError {
  return new VaultError('corrupt', `${Buffer.from(path).toString()} is not ${size} bytes long`)
}
