import { html } from 'hono/html'
import type { Html } from './svg-plot.ts'

export interface HtmlColumn<Row> {
  readonly head: string
  readonly cell: (row: Row) => Html | string
  /** Aligned at the right. */
  readonly isNumber?: boolean
}

/** A table; where there is no room for columns each row is a small list. The roles are there because such rows lose their own. */
export function htmlTable<Row>(
  label: string,
  columns: readonly HtmlColumn<Row>[],
  rows: readonly Row[],
): Html {
  const classOf = ({ isNumber }: HtmlColumn<Row>): Html | '' => (isNumber ? html` class="number"` : '')
  return html`<table role="table" aria-label="${label}">
<thead role="rowgroup"><tr role="row">${columns.map((column) => html`<th role="columnheader" scope="col"${classOf(column)}>${column.head}</th>`)}</tr></thead>
<tbody role="rowgroup">
${rows.map(
  (row) => html`<tr role="row">${columns.map(
    (column) =>
      html`<td role="cell" data-head="${column.head}"${classOf(column)}><span>${column.cell(row)}</span></td>`,
  )}</tr>
`,
)}</tbody>
</table>`
}
