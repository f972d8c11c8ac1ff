import { pick, pickEarly, type Random, random } from './random.ts'
import { capitalised, WORDS } from './words.ts'

interface Table {
  readonly name: string
  /** Of the dump's bytes. */
  readonly share: number
  readonly columns: string
  row(next: Random, id: number): string
}

const ORDERS: Table = {
  name: 'orders',
  share: 0.35,
  columns:
    '`id` bigint NOT NULL, `user_id` bigint NOT NULL, `sku` varchar(24), `qty` int, `price` decimal(10,2), `status` varchar(16), `note` varchar(255), `created_at` datetime, PRIMARY KEY (`id`)',
  row: (next, id) => {
    const note = next() & 1 ? 'NULL' : `'${words(next, 4)}'`
    const status = pick(next, ['new', 'paid', 'sent', 'done', 'void'])
    return `(${id},${next() % 500000},'SKU-${10000 + (next() % 90000)}',${1 + (next() % 9)},${(next() % 100000) / 100},'${status}',${note},'${time(next)}')`
  },
}

const TABLES: readonly Table[] = [
  {
    name: 'users',
    share: 0.25,
    columns:
      '`id` bigint NOT NULL, `name` varchar(80), `email` varchar(120), `pwhash` char(64), `created_at` datetime, `active` tinyint(1), PRIMARY KEY (`id`)',
    row: (next, id) => {
      const [a, b] = [pickEarly(next, WORDS), pickEarly(next, WORDS)]
      return `(${id},'${capitalised(a)} ${capitalised(b)}','${a}.${b}${next() % 1000}@example.org','${hex(next, 64)}','${time(next)}',${next() & 1})`
    },
  },
  ORDERS,
  {
    name: 'event_log',
    share: 0.4,
    columns:
      '`id` bigint NOT NULL, `kind` varchar(32), `actor` varchar(40), `body` text, `at` datetime, PRIMARY KEY (`id`)',
    row: (next, id) => {
      const kind = pick(next, ['login', 'logout', 'update', 'create', 'delete', 'view'])
      const actor = `${hex(next, 8)}-${hex(next, 4)}-${hex(next, 12)}`
      return `(${id},'${kind}','${actor}','${words(next, 7 + (next() % 18))}','${time(next)}')`
    },
  },
]

function words(next: Random, count: number): string {
  return Array.from({ length: count }, () => pickEarly(next, WORDS)).join(' ')
}

function hex(next: Random, digits: number): string {
  let text = ''
  while (text.length < digits) text += next().toString(16).padStart(8, '0')
  return text.slice(0, digits)
}

function time(next: Random): string {
  const two = (n: number) => String(n).padStart(2, '0')
  return `2025-${two(1 + (next() % 12))}-${two(1 + (next() % 28))} ${two(next() % 24)}:${two(next() % 60)}:${two(next() % 60)}`
}

/** A dump like mysqldump's, of about so many bytes: one INSERT of about a megabyte after the other. */
export function* dumpPieces(bytes: number): Generator<string> {
  yield '-- MariaDB dump 10.19  Distrib 10.11.6-MariaDB\n/*!40101 SET NAMES utf8mb4 */;\n'
  for (const table of TABLES) {
    yield `DROP TABLE IF EXISTS \`${table.name}\`;\nCREATE TABLE \`${table.name}\` (${table.columns}) ENGINE=InnoDB;\n`
    const next = random('dump', table.name)
    let id = 1
    for (let left = bytes * table.share; left > 0; ) {
      const rows: string[] = []
      let length = 0
      while (length < Math.min(left, 1_000_000)) {
        const row = table.row(next, id++)
        rows.push(row)
        length += row.length + 1
      }
      left -= length
      yield `INSERT INTO \`${table.name}\` VALUES ${rows.join(',')};\n`
    }
  }
  yield '-- Dump completed\n'
}

/** One INSERT of so many new rows into the table in the middle of the dump. */
export function newRows(step: number, count: number): string {
  const next = random('dump-extra', step)
  const rows = Array.from({ length: count }, (_, i) => ORDERS.row(next, 50_000_000 + step * 1_000_000 + i))
  return `INSERT INTO \`${ORDERS.name}\` VALUES ${rows.join(',')};\n`
}
