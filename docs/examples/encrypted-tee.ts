/**
 * Any stream, encrypted once and written to several files at the same time. A disk that fails or is full is dropped, and the others
 * go on: the exit code is 0 when all have it, 3 when some have, 1 when none has.
 *
 *     pg_dump shop | node encrypted-tee.ts PUBLIC-KEY /mnt/one/shop.pb /mnt/two/shop.pb
 *     node encrypted-tee.ts --open PHRASE-FILE < /mnt/two/shop.pb | psql shop
 */
import { createWriteStream, readFileSync } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { decrypt, deriveKeys, encrypt, masterFromPhrase } from '@pipe-backup/crypto'
import { tee } from '@pipe-backup/tee'

const [first = '', ...rest] = process.argv.slice(2)

if (first === '--open') {
  const identity = await deriveKeys(masterFromPhrase(readFileSync(rest[0] ?? '', 'utf8')))
  // Nothing comes out that is not proven; that it is all is known when this exits with 0.
  await pipeline(process.stdin, decrypt(identity), process.stdout)
} else {
  const copies = rest.map((path) => createWriteStream(path, { mode: 0o600, flush: true }))
  await pipeline(
    process.stdin,
    encrypt(Buffer.from(first, 'hex')),
    tee(copies, {
      names: rest,
      onResult: (results) => {
        for (const { name, state, error } of results) console.error(`${name}: ${state}`, error?.message ?? '')
        process.exitCode = results.every(({ state }) => state === 'ok') ? 0 : 3
      },
    }),
  )
}
