import { constants } from 'node:os'
import { endProcess } from './end-process.ts'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** Ctrl-C reaches a whole group of processes, and npx passes on what it got: one keypress may arrive twice. */
const SAME_KEYPRESS_MS = 500

/** However long something takes to stop, the process ends before whoever sent the signal loses patience. */
const PATIENCE_MS = 9_500

/** Signals turned into an abort. */
export interface SignalWatch extends Disposable {
  /** Aborted by the first SIGINT, SIGTERM or SIGHUP. The second ends the process at once. */
  readonly signal: AbortSignal
  /** 128 + the signal's number, once one came. */
  exitCode(): number | undefined
}

/** @param onFirst - called with the name of the first signal, before anything is aborted */
export function watchSignals(onFirst: (name: string) => void): SignalWatch {
  const controller = new AbortController()
  let first: { readonly code: number; readonly at: number } | undefined
  const onSignal = (name: (typeof SIGNALS)[number]): void => {
    const code = 128 + constants.signals[name]
    if (first === undefined) {
      first = { code, at: performance.now() }
      setTimeout(() => endProcess(code), PATIENCE_MS).unref()
      onFirst(name)
      controller.abort(new DOMException(`stopped by ${name}`, 'AbortError'))
    } else if (performance.now() - first.at > SAME_KEYPRESS_MS) {
      endProcess(code)
    }
  }
  for (const name of SIGNALS) process.on(name, onSignal)
  return {
    signal: controller.signal,
    exitCode: () => first?.code,
    [Symbol.dispose]: () => {
      for (const name of SIGNALS) process.off(name, onSignal)
    },
  }
}
