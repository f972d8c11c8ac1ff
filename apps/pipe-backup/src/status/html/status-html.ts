import { createHash } from 'node:crypto'
import type { SinkStatus } from '@pipe-backup/vault'
import { html, raw } from 'hono/html'
import { redact } from '../../secrets/redact.ts'
import { escapeControls } from '../../terminal/escape-bytes.ts'
import { formatBytes, formatCount, formatTime, plural } from '../../terminal/quantities.ts'
import type { SourceStatus } from '../assess.ts'
import { nextLine, type StatusReport, sinkRemarks, worryLine } from '../status-report.ts'
import { formatLag } from './format-lag.ts'
import { htmlPlots } from './html-plots.ts'
import { HTML_STYLE } from './html-style.ts'
import { type HtmlColumn, htmlTable } from './html-table.ts'
import type { Html } from './svg-plot.ts'

/** Nothing but the style that is in the file: no script, no image, no other address. */
const POLICY = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(HTML_STYLE).digest('base64')}'; base-uri 'none'; form-action 'none'`

/**
 * What `status` says as one HTML document that needs nothing else: for a mail, or a web server. Times stand as they are, not as "an hour ago": it is read
 * when it is read.
 */
export async function statusHtml(report: StatusReport): Promise<string> {
  const { config, vault, now } = report
  const document = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${raw(POLICY)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<meta name="robots" content="noindex">
<title>${config.vault}: ${verdictOf(report).text}</title>
<style>${raw(HTML_STYLE)}</style>
</head>
<body>
<header><h1>Vault ${config.vault}</h1><p>on ${config.host}, as of ${timeOf(now)}</p></header>
<main>
${verdict(report)}
${facts(report)}
<h2>Sources</h2>
${htmlTable('Sources', SOURCES, report.sources)}
<h2>Sinks</h2>
${htmlTable('Sinks', sinkColumns(vault.snapshots.at(-1)?.time), vault.sinks)}
${htmlPlots(report.history)}
</main>
</body>
</html>
`
  return String(await document)
}

function verdictOf({ exitCode }: StatusReport): { readonly tone: string; readonly text: string } {
  if (exitCode === 0) return { tone: 'good', text: 'all is well' }
  if (exitCode === 3) return { tone: 'look', text: 'something needs a look' }
  return { tone: 'bad', text: 'the newest snapshot is on too few sinks, or there is none' }
}

function verdict(report: StatusReport): Html {
  const { tone, text } = verdictOf(report)
  const lines = [...report.vault.sinks.flatMap(sinkRemarks), ...report.worries.map(worryLine)]
  return html`<div class="notice ${tone}"><strong>${text[0]?.toUpperCase()}${text.slice(1)}</strong>${
    lines.length === 0 ? '' : html`<ul>${lines.map((line) => html`<li>${safe(line)}</li>`)}</ul>`
  }</div>`
}

/** A message may quote what a server has said. */
function safe(line: string): string {
  return redact(escapeControls(line))
}

function facts(report: StatusReport): Html {
  const { lastGood, vault, begun, drill, config } = report
  const [oldest] = vault.snapshots
  const all: readonly (readonly [string, Html | string])[] = [
    [
      'Last good snapshot',
      lastGood
        ? html`${timeOf(lastGood.time)} <small>on ${lastGood.sinks.join(', ')}</small>`
        : 'none yet that has every source, complete',
    ],
    ['Next run', nextLine(report).replace(/^next run: /, '')],
    [
      'Snapshots',
      oldest
        ? html`${formatCount(vault.snapshots.length)} <small>since ${timeOf(oldest.time)}</small>`
        : formatCount(vault.snapshots.length),
    ],
    ['Last prune', begun.prune ? timeOf(begun.prune) : 'none by the schedule'],
    ['Last verification', begun.verify ? timeOf(begun.verify) : 'none by the schedule'],
    ['Last restore drill', drill ? timeOf(drill.time) : 'none: pipe-backup verify --drill'],
    ['Copies wanted', plural(config.copies, 'sink')],
  ]
  return html`<dl>
${all.map(
  ([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>
`,
)}</dl>`
}

const SIGNS: Readonly<Record<string, readonly [tone: string, sign: string]>> = {
  ok: ['good', '✓'],
  behind: ['look', '↻'],
  incomplete: ['look', '!'],
  none: ['look', '–'],
  damaged: ['bad', '✕'],
  failed: ['bad', '✕'],
}

function badge(state: string, word = state): Html {
  const [tone, sign] = SIGNS[state] ?? ['', '·']
  return html`<span class="badge ${tone}"><span aria-hidden="true">${sign}</span> ${word}</span>`
}

const SOURCES: readonly HtmlColumn<SourceStatus>[] = [
  { head: 'Source', cell: ({ name }) => html`<strong>${name}</strong>` },
  {
    head: 'State',
    cell: ({ state, error }) =>
      html`${badge(state, state === 'none' ? 'not backed up yet' : state)}${error === undefined ? '' : html` <small>${safe(error)}</small>`}`,
  },
  { head: 'Last good copy', cell: ({ lastGood }) => (lastGood ? timeOf(lastGood) : '–') },
  { head: 'Problems', cell: ({ problems }) => formatCount(problems), isNumber: true },
  { head: 'Entries', cell: ({ entries }) => formatCount(entries), isNumber: true },
  { head: 'Size', cell: ({ bytes }) => formatBytes(bytes), isNumber: true },
]

function sinkColumns(newest: Date | undefined): HtmlColumn<SinkStatus>[] {
  const ofAnswering =
    (cell: (sink: SinkStatus) => string) =>
    (sink: SinkStatus): string =>
      sink.state === 'failed' ? '–' : cell(sink)
  const grown = (span: keyof SinkStatus['bytesNew']) =>
    ofAnswering(({ bytesNew }) => `+${formatBytes(bytesNew[span])}`)
  return [
    { head: 'Sink', cell: ({ name }) => html`<strong>${name}</strong>` },
    { head: 'State', cell: ({ state }) => badge(state) },
    { head: 'Newest snapshot', cell: ({ latest }) => (latest ? timeOf(latest) : '–') },
    {
      head: 'Lag',
      cell: ({ latest }) =>
        latest && newest ? formatLag(Math.max(0, newest.getTime() - latest.getTime())) : '–',
      isNumber: true,
    },
    { head: 'Snapshots', cell: ofAnswering(({ snapshots }) => formatCount(snapshots)), isNumber: true },
    { head: 'Size', cell: ofAnswering(({ bytes }) => formatBytes(bytes)), isNumber: true },
    { head: 'Last day', cell: grown('day'), isNumber: true },
    { head: '7 days', cell: grown('week'), isNumber: true },
    { head: '30 days', cell: grown('month'), isNumber: true },
  ]
}

function timeOf(time: Date): Html {
  return html`<time datetime="${time.toISOString()}">${formatTime(time)}</time>`
}
