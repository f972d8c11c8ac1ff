import { useLayoutEffect, useRef, useState } from 'preact/hooks'

export interface Cell {
  readonly label: string
  /** `none` can't be chosen. */
  readonly state: 'none' | 'part' | 'full' | 'gone'
  readonly isChosen?: boolean
  readonly onChoose?: () => void
}

export interface GridRow {
  readonly head: string
  readonly cells: readonly (Cell | undefined)[]
}

const STEPS: Readonly<Record<string, readonly [down: number, right: number]>> = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
}

/** A calendar of small cells: one stop for the Tab key, arrows within. */
export function Grid({
  label,
  heads,
  rows,
}: {
  readonly label: string
  /** Above the columns; empty for those without one. */
  readonly heads: readonly string[]
  readonly rows: readonly GridRow[]
}) {
  const [at, setAt] = useState<readonly [number, number]>()
  const last = lastOf(rows)
  const [row, column] = at && rows[at[0]]?.cells[at[1]] ? at : last

  const box = useRef<HTMLDivElement>(null)
  useLayoutEffect(() => {
    // Where not all of it has room, what is recent is seen first.
    if (box.current) box.current.scrollLeft = box.current.scrollWidth
  }, [])

  const onKeyDown = (event: KeyboardEvent): void => {
    const step = STEPS[event.key]
    if (!step) return
    event.preventDefault()
    let [down, right] = [row + step[0], column + step[1]]
    // Days that are not there yet are passed over.
    while (rows[down]?.cells[right] === undefined) {
      if (!rows[down] || right < 0 || right >= heads.length) return
      down += step[0]
      right += step[1]
    }
    setAt([down, right])
    const table = event.currentTarget
    if (table instanceof HTMLElement)
      table.querySelector<HTMLElement>(`[data-at="${down},${right}"]`)?.focus()
  }

  return (
    <div ref={box} class="grid-scroll">
      <table role="grid" class="grid" aria-label={label} onKeyDown={onKeyDown}>
        <thead>
          <tr>
            <td />
            {heads.map((head, i) =>
              head === '' ? (
                <td key={i} />
              ) : (
                <th key={i} scope="col">
                  {head}
                </th>
              ),
            )}
          </tr>
        </thead>
        <tbody>
          {rows.map(({ head, cells }, i) => (
            <tr key={i}>
              <th scope="row">{head}</th>
              {cells.map((cell, j) =>
                cell ? (
                  <td
                    key={j}
                    class={`cell ${cell.state}${cell.isChosen ? ' chosen' : ''}`}
                    data-at={`${i},${j}`}
                    tabIndex={i === row && j === column ? 0 : -1}
                    aria-label={cell.label}
                    aria-selected={cell.isChosen ?? false}
                    title={cell.label}
                    onClick={cell.onChoose}
                    onKeyDown={(event) => {
                      if (event.key === 'Enter' || event.key === ' ') {
                        event.preventDefault()
                        cell.onChoose?.()
                      }
                    }}
                  />
                ) : (
                  <td key={j} />
                ),
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

/** The last cell that holds something, else the last. */
function lastOf(rows: readonly GridRow[]): readonly [number, number] {
  let last: readonly [number, number] = [0, 0]
  let at = -1
  for (const [i, { cells }] of rows.entries())
    for (const [j, cell] of cells.entries()) {
      const order = (cell && cell.state !== 'none' ? 1e6 : 0) + j * 10 + i
      if (cell && order > at) {
        at = order
        last = [i, j]
      }
    }
  return last
}
