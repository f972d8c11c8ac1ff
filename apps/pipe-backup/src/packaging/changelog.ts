/** A change as its author wrote it for the people who use the program. */
export interface Change {
  /** The largest step that it asks for; undefined for one that asks for no new version. */
  readonly step: Step | undefined
  /** Markdown. */
  readonly summary: string
}

export interface Release {
  readonly version: string
  /** As in `2026-11-29`. */
  readonly date: string
  readonly changes: readonly Change[]
}

type Step = 'major' | 'minor' | 'patch'

const HEADINGS: readonly (readonly [step: Step | undefined, heading: string])[] = [
  ['major', 'What you must change'],
  ['minor', 'New'],
  ['patch', 'Fixed'],
  [undefined, 'Also'],
]

/**
 * Reads a changeset: front matter with a step for each package, and a text.
 * @throws Error that names the file when it is none
 * @see https://github.com/changesets/changesets/blob/main/docs/adding-a-changeset.md
 */
export function parseChangeset(text: string, file: string): Change {
  const [, front, body = ''] = /^---\n([^]*?)^---\n([^]*)$/m.exec(text) ?? []
  const summary = body.trim()
  if (front === undefined || summary === '') throw new Error(`${file}: no changeset with a text`)
  const steps = [...front.matchAll(/: (major|minor|patch)$/gm)].map(([, step]) => step)
  const step = HEADINGS.map(([one]) => one).find((one) => one !== undefined && steps.includes(one))
  return { step, summary }
}

/** Puts a release above the others, under the text that the changelog begins with. @throws Error when it is there already */
export function addRelease(changelog: string, { version, date, changes }: Release): string {
  if (changelog.includes(`\n## ${version} `)) throw new Error(`the changelog has ${version} already`)
  const parts = HEADINGS.flatMap(([step, heading]) => {
    const some = changes.filter((change) => change.step === step)
    if (some.length === 0) return []
    const isAll = step === undefined && some.length === changes.length
    return [
      ...(isAll ? [] : [`### ${heading}`]),
      some.map(({ summary }) => `- ${summary.replaceAll('\n', '\n  ')}`).join('\n'),
    ]
  })
  const section = [`## ${version} (${date})`, ...parts].join('\n\n')
  const at = changelog.search(/^## /m)
  const [above, below] =
    at < 0 ? [changelog.trimEnd(), ''] : [changelog.slice(0, at).trimEnd(), `\n${changelog.slice(at)}`]
  return `${above}\n\n${section}\n${below}`
}
