import { expect, test, vi } from 'vitest'
import { createOutput } from './output.ts'
import { showProgress } from './show-progress.ts'

test('lines are cut at the width, and taken away as the rows that a narrower terminal has made of them', () => {
  vi.useFakeTimers()
  try {
    const written: string[] = []
    const terminal = { columns: 40, write: (text: string) => written.push(text) }
    const output = createOutput({ json: false, quiet: false, verbose: false, logJson: false })
    const display = showProgress(() => ['x'.repeat(100), 'short'], terminal, output)
    vi.advanceTimersByTime(200)
    expect(written.splice(0)).toEqual([`${'x'.repeat(39)}\nshort\n`])
    terminal.columns = 20
    display[Symbol.dispose]()
    expect(written).toEqual(['\u001B[3A\r\u001B[0J'])
  } finally {
    vi.useRealTimers()
  }
})
