import { useEffect, useState } from 'preact/hooks'
import type { Task, TaskEvent } from './api.ts'

const MAX_LINES = 500

/** The task that was started last, as far as it has come. */
export interface TaskView {
  readonly task: Task | undefined
  readonly progress: unknown
  readonly report: unknown
  readonly lines: readonly string[]
  /** How many have ended since the page was opened. */
  readonly ends: number
}

const NOTHING: TaskView = { task: undefined, progress: undefined, report: undefined, lines: [], ends: 0 }

/** Follows what the program says of its task. @param isWanted - the session is there */
export function useTask(isWanted: boolean): TaskView {
  const [view, setView] = useState(NOTHING)
  useEffect(() => {
    if (!isWanted) return
    const events = new EventSource('/api/task/events')
    events.addEventListener('message', ({ data }: MessageEvent<string>) => {
      // Built together with the program: `api.ts` has the type.
      const event = JSON.parse(data) as TaskEvent | Record<string, never>
      if ('type' in event) setView((before) => after(before, event as TaskEvent))
    })
    return () => events.close()
  }, [isWanted])
  return view
}

function after(view: TaskView, event: TaskEvent): TaskView {
  switch (event.type) {
    case 'started':
      return { ...NOTHING, ends: view.ends, task: event.task }
    case 'progress':
      return { ...view, progress: event.progress }
    case 'report':
      return { ...view, report: event.report }
    case 'line':
      return { ...view, lines: [...view.lines, event.text].slice(-MAX_LINES) }
    case 'ended':
      return { ...view, task: event.task, ends: view.ends + 1 }
  }
}
