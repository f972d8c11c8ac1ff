export { ensureDebianPackages, missingDebianPackages } from './debian-packages.ts'
export { freePort } from './free-port.ts'
export { type MariadbServer, startMariadb } from './mariadb.ts'
