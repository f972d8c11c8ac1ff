import { globSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'

const ROOT = resolve(import.meta.dirname, '../../..')
const PAGE = readFileSync(join(ROOT, 'docs/troubleshooting.md'), 'utf8')
const MESSAGES = [...PAGE.matchAll(/^### `(.+)`$/gm)].map(([, message = '']) => message)

/** All that the programs say, with \u2026 for what they put in. */
const CODE = globSync('{packages,apps/pipe-backup}/**/src/**/*.ts', {
  cwd: ROOT,
  exclude: ['**/node_modules/**', '**/*.test.ts'],
})
  .map((file) => readFileSync(join(ROOT, file), 'utf8').replaceAll(/\$\{[^}]*\}|%who/g, '\u2026'))
  .join('\n')

test('troubleshooting has the messages that people meet most', () => {
  expect(MESSAGES.length).toBeGreaterThanOrEqual(25)
  expect(new Set(MESSAGES).size).toBe(MESSAGES.length)
})

test.for(MESSAGES)('the code says: %s', (message) => {
  for (const part of message.split('\u2026')) expect(CODE).toContain(part.trim())
})
