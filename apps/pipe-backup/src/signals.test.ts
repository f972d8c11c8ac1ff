import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as wait } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'

const started: ChildProcess[] = []

afterEach(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL')
})

/** A process that watches signals, and goes on for a minute whatever they say when `stubborn`. */
async function start(stubborn: boolean): Promise<{ child: ChildProcess; ended: Promise<unknown[]> }> {
  const script = `
    import(${JSON.stringify(new URL('./signals.ts', import.meta.url).href)}).then(({ watchSignals }) => {
      const watch = watchSignals(() => {})
      const timer = setTimeout(() => {}, 60_000)
      watch.signal.addEventListener('abort', () => {
        if (${stubborn}) return
        clearTimeout(timer)
        process.exitCode = watch.exitCode()
      })
      console.log('ready')
    })`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  started.push(child)
  const ended = once(child, 'exit')
  await once(child.stdout, 'data')
  return { child, ended }
}

test.for([
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const)('%s aborts, and the exit code is %d', async ([name, code]) => {
  const { child, ended } = await start(false)
  child.kill(name)
  expect(await ended).toEqual([code, null])
})

test('a second signal ends at once what the first did not stop', async () => {
  const { child, ended } = await start(true)
  child.kill('SIGTERM')
  await wait(700)
  child.kill('SIGTERM')
  expect(await ended).toEqual([143, null])
})

test('the same keypress reported twice, as npx does, counts as one', async () => {
  const { child } = await start(true)
  child.kill('SIGINT')
  await wait(50)
  child.kill('SIGINT')
  await wait(400)
  expect(child.exitCode).toBeNull()
})
