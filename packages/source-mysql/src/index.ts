export { checkMysql, type MysqlFindings } from './check-mysql.ts'
export { loadDump, type ScratchServer } from './load-dump.ts'
export { type MysqlOptions, mysql, mysqlSource } from './mysql-source.ts'
