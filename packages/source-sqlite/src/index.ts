export { checkSqlite, type SqliteFindings } from './check-sqlite.ts'
export { type SqliteOptions, sqlite, sqliteSource } from './sqlite-source.ts'
