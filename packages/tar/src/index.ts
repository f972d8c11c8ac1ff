export { type PackTarOptions, packTar } from './pack-tar.ts'
export { TarError, type TarErrorCode } from './tar-error.ts'
export { type UnpackTarOptions, unpackTar } from './unpack-tar.ts'
