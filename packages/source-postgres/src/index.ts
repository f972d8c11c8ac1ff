export { checkPostgres, type PostgresFindings } from './check-postgres.ts'
export { loadDump, rolesOf, type ScratchServer } from './load-dump.ts'
export { GLOBALS_PATH, type PostgresOptions, postgres, postgresSource } from './postgres-source.ts'
export type { ServerOptions, SslOptions } from './server-options.ts'
