import { stringify } from 'yaml'
import { configSchema } from '../config/schema.ts'
import type { Care } from './ask-care.ts'
import type { Options } from './ask-options.ts'
import { wrap } from './asker.ts'

/** What was answered: a configuration as it is written. */
export interface Answers extends Care {
  readonly vault: string
  readonly sources: readonly Options[]
  readonly sinks: readonly Options[]
}

const COLUMNS = 80
const HEAD =
  'Written by `pipe-backup config init`. After a change: `pipe-backup config check`, and `pipe-backup doctor`, which tries it. `pipe-backup config schema` describes every option.'

/** What may be added to a part, as it would be written. */
const MORE: Readonly<Partial<Record<keyof Answers, string>>> = {
  sources: 'To leave something out, of a source of files: exclude: ["cache/**", "*.tmp"]',
  sinks: 'To send no faster, of a sink: uploadLimit: 5MB',
}

/** What stands where nothing was chosen. */
const ABSENT: Readonly<Partial<Record<keyof Answers, string>>> = {
  schedule: 'schedule: "0 3 * * *"',
  keep: 'keep: { hourly: 24, daily: 7, weekly: 4, monthly: 12 }',
  notify: 'notify: [{ type: email, smtp: { file: FILE }, from: ADDRESS, to: [ADDRESS] }]',
}

/** The configuration as YAML, each part below a comment that says what it is. */
export function composeYaml(answers: Answers): string {
  const keys = ['vault', 'sources', 'sinks', 'schedule', 'keep', 'notify'] as const
  const parts = keys.map((key) => {
    const about = [configSchema.shape[key].description ?? innerDescription(key), MORE[key]]
      .filter((text) => text !== undefined)
      .map((text) => `${text}${/[.!?)\]B]$/.test(text) ? '' : '.'}`)
    const value = answers[key]
    const body =
      value === undefined ? `# ${ABSENT[key]}\n` : stringify({ [key]: value }, { lineWidth: COLUMNS })
    return `${about.map(comment).join('')}${body}`
  })
  return [comment(HEAD), ...parts].join('\n')
}

function innerDescription(key: keyof Answers): string | undefined {
  const schema = configSchema.shape[key]
  return 'unwrap' in schema ? schema.unwrap().description : undefined
}

function comment(text: string): string {
  return wrap(text, COLUMNS - 2)
    .split('\n')
    .map((line) => `# ${line}\n`)
    .join('')
}
