import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import type { Sample } from './measure.ts'

/** One sample of a peer in a case. */
export interface Result extends Omit<Sample, 'stdout'> {
  readonly peer: string
  readonly case: string
  readonly storedBytes: number
}

const END = '<!-- end -->'

/** Medians, a row for each case and peer, and each as a ratio to the one of `references` that the case has. */
export function table(results: readonly Result[], references: readonly string[]): string {
  const rows = ['| | | wall s | ratio | CPU s | peak MiB | stored MB |', '|--|--|--|--|--|--|--|']
  for (const name of new Set(results.map((result) => result.case))) {
    const ofCase = results.filter((result) => result.case === name)
    const figures = (peer: string, figure: (result: Result) => number) =>
      median(ofCase.filter((result) => result.peer === peer).map(figure))
    const wall = (peer: string) => figures(peer, ({ wallSeconds }) => wallSeconds)
    const base = wall(references.find((peer) => ofCase.some((result) => result.peer === peer)) ?? '')
    for (const peer of new Set(ofCase.map((result) => result.peer))) {
      const of = (figure: (result: Result) => number) => figures(peer, figure)
      rows.push(
        `| ${[
          name,
          peer,
          wall(peer).toFixed(1),
          Number.isNaN(base) ? '' : (wall(peer) / base).toFixed(2),
          of(({ cpuSeconds }) => cpuSeconds).toFixed(1),
          of(({ peakMib }) => peakMib).toFixed(0),
          (of(({ storedBytes }) => storedBytes) / 1e6).toFixed(0),
        ].join(' | ')} |`,
      )
    }
  }
  return rows.join('\n')
}

/** Of an even number of values, what is between the two in the middle; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}

/** The machine in a line. */
export function machine(): string {
  const [cpu] = cpus()
  return `${cpus().length} × ${cpu?.model ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}`
}

/** Puts the text between the marks that a script has in a document, formatted. @throws Error when they are not there */
export function writeInto(document: string, text: string, script: string): void {
  const old = readFileSync(document, 'utf8')
  const start = `<!-- written by npm run ${script} -->`
  const from = old.indexOf(start)
  const to = old.indexOf(END, from)
  if (from < 0 || to < from) throw new Error(`${document} has no marks for the results of ${script}`)
  writeFileSync(document, `${old.slice(0, from + start.length)}\n\n${text}\n\n${old.slice(to)}`)
  // As the linters want it; npm has the program on the PATH of its scripts.
  execFileSync('biome', ['format', '--write', document], { stdio: 'pipe' })
}
