import { expect, test } from 'vitest'
import { DumpRewriter } from './dump-rewriter.ts'

const ALTER = 'ALTER DATABASE `d``b` CHARACTER SET latin1 COLLATE latin1_swedish_ci ;'
const SHORT = 'ALTER DATABASE CHARACTER SET latin1 COLLATE latin1_swedish_ci ;'
/** What must stay, though it has the line in it. */
const STAYS = [
  '/*M!999999\\- enable the sandbox mode */ \n-- MariaDB dump\n--\n',
  `INSERT INTO \`t\` VALUES\n(1,'it\\'s\n${ALTER}\n',0x00),\n(2,"\\\\\n${ALTER}\n",''''),\n(3,NULL,'\\\\');\n`,
  `CREATE TABLE \`a\n${ALTER}\n\` (\n  \`id\` int DEFAULT 1 COMMENT 'nextval(\`d\`\`b\`.\`s\`)'\n);\n`,
  `-- it's\n/* it's\n${ALTER}\n**/;\n# it's\n;\n`,
  `DELIMITER ;;\nCREATE PROCEDURE \`p\`()\nBEGIN\n${ALTER}\n/*!50003 SELECT 'x\n${ALTER}\n' */;\nEND ;;\nDELIMITER ;\n`,
  `/*!50003 SET sql_mode              = 'NO_BACKSLASH_ESCAPES' */ ;\nDELIMITER ;;\nCREATE PROCEDURE p() SELECT '\\'\n;;\nDELIMITER ;\n`,
  '/*!50003 SET sql_mode              = @saved_sql_mode */ ;\n',
]

function rewritten(text: string, pieceBytes: number): string {
  const rewriter = new DumpRewriter('d`b', Buffer.from('HEAD;\n'))
  const bytes = Buffer.from(text, 'latin1')
  const out: Buffer[] = []
  for (let at = 0; at < bytes.length; at += pieceBytes)
    out.push(...rewriter.push(bytes.subarray(at, at + pieceBytes)).map((part) => Buffer.from(part)))
  return Buffer.concat([...out, ...rewriter.end()]).toString('latin1')
}

test('statements that name the database lose its name, and nothing else changes, whatever the pieces', () => {
  const before = STAYS.map((text) => `${text}${ALTER}\n`).join('')
  const head = STAYS[0] ?? ''
  const after = STAYS.map((text) => `${text}${SHORT}\n`)
    .join('')
    .replace(head, `${head}HEAD;\n`)
  // The first line of MariaDB's is the beginning of a statement that the next semicolon ends.
  const expected = after.replace(`HEAD;\n${SHORT}`, `HEAD;\n${ALTER}`)
  for (const pieceBytes of [1, 2, 3, 7, 64, 1000, 100_000])
    expect(rewritten(before, pieceBytes)).toBe(expected)
})

test('a line that never ends is handed on before it is held whole', () => {
  const rewriter = new DumpRewriter('d', new Uint8Array())
  rewriter.push(Buffer.from('CREATE TABLE `t` (\n  a'))
  const given = rewriter.push(Buffer.alloc(100_000, 'x')).reduce((sum, { length }) => sum + length, 0)
  expect(given).toBeGreaterThan(80_000)
})
