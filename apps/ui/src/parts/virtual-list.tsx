import type { ComponentChildren } from 'preact'
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'

/** As in list.css. */
const ROW_PX = 32
/** Rows drawn beyond what is to be seen, on either side. */
const BEYOND = 10

/**
 * A list of which only the rows in view are drawn: 100,000 cost no more than 50. Arrow keys go from row to row.
 * @param onNearEnd - called when the end comes into view: there may be more
 */
export function VirtualList<Row>({
  label,
  heads,
  kind,
  rows,
  keyOf,
  row,
  onNearEnd,
  onUp,
}: {
  readonly label: string
  readonly heads: readonly string[]
  /** Which columns: a class of list.css. */
  readonly kind: string
  readonly rows: readonly Row[]
  readonly keyOf: (row: Row) => string
  /** The cells of a row, each with the role `gridcell`. */
  readonly row: (row: Row, tabIndex: number) => ComponentChildren
  readonly onNearEnd?: () => void
  /** Backspace. */
  readonly onUp?: () => void
}) {
  const box = useRef<HTMLDivElement>(null)
  const [view, setView] = useState({ top: 0, height: 600 })
  const [current, setCurrent] = useState(0)
  const wanted = useRef<number>(undefined)

  useLayoutEffect(() => {
    const element = box.current
    if (!element) return
    const measure = (): void => setView({ top: element.scrollTop, height: element.clientHeight })
    measure()
    const observer = new ResizeObserver(measure)
    observer.observe(element)
    element.addEventListener('scroll', measure, { passive: true })
    return () => {
      observer.disconnect()
      element.removeEventListener('scroll', measure)
    }
  }, [])

  const first = Math.max(0, Math.floor(view.top / ROW_PX) - BEYOND)
  const end = Math.min(rows.length, Math.ceil((view.top + view.height) / ROW_PX) + BEYOND)
  const isNearEnd = end >= rows.length - BEYOND
  useEffect(() => {
    if (isNearEnd) onNearEnd?.()
  }, [isNearEnd, rows.length])

  useEffect(() => {
    if (wanted.current === undefined) return
    const element = box.current?.querySelector<HTMLElement>(`[data-row="${wanted.current}"] :is(a, button)`)
    if (!element) return
    wanted.current = undefined
    element.focus({ preventScroll: true })
  })

  const goTo = (index: number): void => {
    const element = box.current
    if (!element || rows.length === 0) return
    const at = Math.min(rows.length - 1, Math.max(0, index))
    setCurrent(at)
    wanted.current = at
    const top = at * ROW_PX
    if (top < element.scrollTop) element.scrollTop = top
    // The heads stay at the top, and take a row's height.
    else if (top + ROW_PX * 2 > element.scrollTop + element.clientHeight)
      element.scrollTop = top + ROW_PX * 2 - element.clientHeight
  }

  const onKeyDown = (event: KeyboardEvent): void => {
    const page = Math.max(1, Math.floor(view.height / ROW_PX) - 2)
    const steps: Readonly<Record<string, number>> = {
      ArrowDown: current + 1,
      ArrowUp: current - 1,
      PageDown: current + page,
      PageUp: current - page,
      Home: 0,
      End: rows.length - 1,
    }
    const to = steps[event.key]
    if (to !== undefined) goTo(to)
    else if (event.key === 'Backspace' && onUp) onUp()
    else return
    event.preventDefault()
  }

  return (
    <div
      ref={box}
      class={`list ${kind}`}
      role="grid"
      aria-label={label}
      aria-rowcount={rows.length + 1}
      onKeyDown={onKeyDown}
    >
      <div role="rowgroup" class="heads">
        <div role="row" aria-rowindex={1}>
          {heads.map((head) => (
            <span key={head} role="columnheader">
              {head}
            </span>
          ))}
        </div>
      </div>
      <div role="rowgroup" class="rows" style={{ height: `${rows.length * ROW_PX}px` }}>
        {rows.slice(first, end).map((one, i) => (
          <div
            key={keyOf(one)}
            role="row"
            aria-rowindex={first + i + 2}
            data-row={first + i}
            style={{ transform: `translateY(${(first + i) * ROW_PX}px)` }}
            onFocusIn={() => setCurrent(first + i)}
          >
            {row(
              one,
              first + i === Math.min(current, Math.max(first, end - 1)) || (current < first && i === 0)
                ? 0
                : -1,
            )}
          </div>
        ))}
      </div>
    </div>
  )
}
