export { type MysqlOptions, mysql, mysqlSource } from './mysql-source.ts'
