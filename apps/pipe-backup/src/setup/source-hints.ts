import type { Options } from './ask-options.ts'

/** What `config init` asks for, by type of source, beside what the schema requires. Files have questions of their own. */
export const SOURCE_ASKS: Readonly<Record<string, (given: Options) => readonly string[]>> = {
  mysql: ({ socket }) => [...(socket === undefined ? ['host', 'port'] : []), 'user', 'password', 'databases'],
  postgres: ({ socket }) => [
    ...(socket === undefined ? ['host', 'port'] : []),
    'user',
    'password',
    'databases',
  ],
  sqlite: ({ paths }) => (paths === undefined ? ['path'] : []),
}
