import { expect, test } from 'vitest'
import { programOf } from './client-program.ts'
import { Grants } from './grants.ts'
import { sslOptions } from './option-file.ts'

const ROWS = 'GRANT SELECT, SHOW VIEW, EVENT, TRIGGER ON'
const MARIADB_10: Server = { isMariadb: true, version: [10, 11] }
const MARIADB_11: Server = { isMariadb: true, version: [11, 4] }
const MYSQL_8: Server = { isMariadb: false, version: [8, 0] }
type Server = { readonly isMariadb: boolean; readonly version: readonly [number, number] }

test.for<[server: Server, lines: string[], grants: string[] | undefined]>([
  [
    MARIADB_10,
    ["GRANT ALL PRIVILEGES ON *.* TO `u`@`%` IDENTIFIED BY PASSWORD '*AB' WITH GRANT OPTION"],
    undefined,
  ],
  [MARIADB_10, [`${ROWS} \`a\\_b\`.* TO \`u\`@\`%\``], ['GRANT SELECT ON mysql.proc TO u']],
  [MARIADB_10, [`${ROWS} \`a%\`.* TO \`u\`@\`%\``, 'GRANT SELECT ON `mysql`.`proc` TO `u`@`%`'], undefined],
  [
    MARIADB_10,
    [
      `${ROWS} \`a_b\`.\`t\` TO u`,
      'GRANT SELECT (`x`, `y`) ON `a_b`.* TO u',
      'GRANT SELECT ON `mysql`.* TO u',
    ],
    ['GRANT SELECT, SHOW VIEW, TRIGGER, EVENT ON `a\\_b`.* TO u'],
  ],
  [MARIADB_11, [`${ROWS} \`a_b\`.* TO u`], ['GRANT SHOW CREATE ROUTINE ON `a\\_b`.* TO u']],
  [MARIADB_11, ['GRANT ALL PRIVILEGES ON `a_b`.* TO u'], undefined],
  [MYSQL_8, ['GRANT ALL PRIVILEGES ON `a_b`.* TO `u`@`%`'], ['GRANT SHOW_ROUTINE ON *.* TO u']],
  [MYSQL_8, [`${ROWS} \`a_b\`.* TO u`, 'GRANT BACKUP_ADMIN,SHOW_ROUTINE ON *.* TO `u`@`%`'], undefined],
  [MYSQL_8, [`${ROWS} *.* TO \`u\`@\`%\``], undefined],
  [
    MYSQL_8,
    [`${ROWS} *.* TO u`, 'REVOKE TRIGGER ON `a_b`.* FROM `u`@`%`'],
    ['GRANT TRIGGER ON `a\\_b`.* TO u'],
  ],
])('what the server says of a user is judged: %o', ([server, lines, grants]) => {
  expect(new Grants(lines, server).lackOf('a_b')?.grants('u')).toEqual(grants)
})

test('whose program it is, and its version, come from what it says', () => {
  const said = [
    'mariadb-dump  Ver 10.19 Distrib 10.11.19-MariaDB, for debian-linux-gnu (x86_64)',
    'mariadb-dump from 11.4.2-MariaDB, client 10.19 for linux (x86_64)',
    'mysqldump  Ver 8.0.36 for Linux on x86_64 (MySQL Community Server - GPL)',
  ]
  expect(said.map((line) => programOf('x', line))).toEqual([
    { name: 'x', isMariadb: true, version: [10, 11] },
    { name: 'x', isMariadb: true, version: [11, 4] },
    { name: 'x', isMariadb: false, version: [8, 0] },
  ])
})

test('MySQL has another word for a connection that is checked', () => {
  expect(sslOptions({ ca: 'ca.pem' }, false)).toEqual([
    ['ssl-ca', 'ca.pem'],
    ['ssl-mode', 'VERIFY_IDENTITY'],
  ])
  expect(sslOptions({ ca: 'ca.pem', verify: false }, false)[1]).toEqual(['ssl-mode', 'REQUIRED'])
  expect(sslOptions({ ca: 'ca.pem' }, true)).toEqual([
    ['ssl-ca', 'ca.pem'],
    ['ssl'],
    ['ssl-verify-server-cert'],
  ])
})
