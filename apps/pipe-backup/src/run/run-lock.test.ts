import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { isLocked, takeRunLock } from './run-lock.ts'

let directory: string
let holders: ChildProcess[]

beforeEach(async () => {
  directory = join(await mkdtemp(join(tmpdir(), 'pipe-backup-lock-')), 'state')
  holders = []
})

afterEach(async () => {
  for (const holder of holders) holder.kill('SIGKILL')
  await rm(join(directory, '..'), { recursive: true })
})

/** Another process that takes the lock. @returns it, and what it said: `taken`, or the refusal */
async function takeElsewhere(): Promise<{ holder: ChildProcess; said: string }> {
  const script = `
    import(${JSON.stringify(new URL('./run-lock.ts', import.meta.url).href)})
      .then(({ takeRunLock }) => takeRunLock(${JSON.stringify(directory)}))
      .then((lock) => { globalThis.lock = lock; console.log('taken'); setInterval(() => {}, 1000) }, (error) => console.log(error.message))`
  const holder = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  holders.push(holder)
  const [said]: unknown[] = await once(holder.stdout, 'data')
  return { holder, said: String(said).trim() }
}

test('the lock of another process is refused, saying which process has it', async () => {
  const { holder } = await takeElsewhere()
  await expect(takeRunLock(directory)).rejects.toMatchObject({
    code: 'locked',
    message: expect.stringContaining(`process ${holder.pid}`),
  })
})

test('the lock of a process that was killed is free at once', async () => {
  const { holder, said } = await takeElsewhere()
  expect(said).toBe('taken')
  holder.kill('SIGKILL')
  await once(holder, 'exit')
  using lock = await takeRunLock(directory)
  expect(lock).toBeDefined()
})

test('a released lock is free, and the same process can not have it twice', async () => {
  {
    using _lock = await takeRunLock(directory)
    await expect(takeRunLock(directory)).rejects.toMatchObject({ code: 'locked' })
  }
  using again = await takeRunLock(directory)
  expect(again).toBeDefined()
})

test('of several processes at once exactly one gets it', async () => {
  const all = await Promise.all(Array.from({ length: 4 }, takeElsewhere))
  expect(all.filter(({ said }) => said === 'taken')).toHaveLength(1)
})

test('the state directory is made for its owner alone', async () => {
  using _lock = await takeRunLock(directory)
  expect((await stat(directory)).mode & 0o777).toBe(0o700)
})

test('it is known whether a lock is held, and nothing is made for it', async () => {
  expect(await isLocked(directory, 'run')).toBe(false)
  await expect(stat(directory)).rejects.toMatchObject({ code: 'ENOENT' })
  const { holder } = await takeElsewhere()
  expect([await isLocked(directory, 'run'), await isLocked(directory, 'daemon')]).toEqual([true, false])
  holder.kill('SIGKILL')
  await once(holder, 'exit')
  expect(await isLocked(directory, 'run')).toBe(false)
})

test('a lock file that a damaged disk has filled is a lock again, for one at a time', async () => {
  await mkdir(directory)
  await writeFile(
    join(directory, 'run.lock'),
    'no database at all, and longer than its header is: '.repeat(10),
  )
  expect(await isLocked(directory, 'run')).toBe(false)
  using _lock = await takeRunLock(directory)
  expect((await takeElsewhere()).said).toContain('another run of this vault')
})

test('a lock file that can not be opened is reported in a sentence', async () => {
  await mkdir(join(directory, 'run.lock'), { recursive: true })
  await expect(takeRunLock(directory)).rejects.toMatchObject({
    code: 'no-lock',
    hint: expect.stringContaining(directory),
  })
})
