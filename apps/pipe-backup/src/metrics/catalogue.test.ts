import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { CATALOGUE, isMetricName } from './catalogue.ts'

const docs = (name: string): string =>
  readFileSync(new URL(`../../../../docs/${name}`, import.meta.url), 'utf8')

test('the document has every metric, with its labels and its help, and no other', () => {
  const [, section = ''] = docs('monitoring.md').split('\n## Metrics\n')
  const rows = (section.split('\n## ')[0] ?? '')
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => line.split('|').map((cell) => cell.trim()))
  expect(rows.map(([, name, labels, help]) => [name, labels, `${help}.`])).toEqual(
    Object.entries(CATALOGUE).map(([name, { labels, help }]) => [
      `\`${name.replace('pipe_backup_', '')}\``,
      labels.map((label) => `\`${label}\``).join(', '),
      help,
    ]),
  )
})

test.for(['monitoring/alerts.yml', 'monitoring/alerts.test.yml', 'monitoring/dashboard.json'])(
  '%s asks for metrics that there are',
  (file) => {
    const asked = new Set(docs(file).match(/\bpipe_backup_\w+/g))
    expect(asked.size).toBeGreaterThan(3)
    expect([...asked].filter((name) => !isMetricName(name))).toEqual([])
  },
)
