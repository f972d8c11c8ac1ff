// The types of source that this program knows: a new one is one line.
export { command } from './command-source.ts'
export { files } from './files-source.ts'
export { mysql } from './mysql-source.ts'
export { postgres } from './postgres-source.ts'
export { sqlite } from './sqlite-source.ts'
