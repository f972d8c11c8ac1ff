import { DatabaseSync } from 'node:sqlite'
import { setImmediate } from 'node:timers/promises'

/**
 * A program that writes as fast as it can until it is ended: each transaction moves an amount from one account to another and notes it, in both
 * tables or in none. Prints the number of each, when it is committed. Arguments: the database.
 */
const database = new DatabaseSync(process.argv[2] ?? '', { timeout: 60_000 })
database.exec('PRAGMA synchronous=OFF')
const take = database.prepare('UPDATE accounts SET amount = amount - ? WHERE id = ?')
const give = database.prepare('UPDATE accounts SET amount = amount + ? WHERE id = ?')
const note = database.prepare('INSERT INTO moves (amount, filler) VALUES (?, randomblob(500))')
for (let i = 0; ; i++) {
  database.exec('BEGIN IMMEDIATE')
  take.run(i % 7, 1 + (i % 100))
  give.run(i % 7, 1 + ((i * 31) % 100))
  note.run(i % 7)
  database.exec('COMMIT')
  process.stdout.write(`${i + 1}\n`)
  // Or what is printed would not leave.
  await setImmediate()
}
