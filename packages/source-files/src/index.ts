export { type FilesNote, type FilesOptions, files, type LeftOutDirectory } from './files.ts'
export { type FilesSourceOptions, filesSource } from './files-source.ts'
export { mayHang } from './may-hang.ts'
export { type FilesMemory, type FilesSeen, lossOf, parseSeen, type SeenPath } from './memory.ts'
