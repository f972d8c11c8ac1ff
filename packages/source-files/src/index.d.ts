export { type FilesOptions, files } from './files.ts';
export { type FilesSourceOptions, filesSource } from './files-source.ts';
