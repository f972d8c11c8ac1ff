export { type PackTarOptions, packTar } from './pack-tar.ts'
