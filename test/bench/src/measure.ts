import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { execa } from 'execa'

export interface Command {
  readonly file: string
  readonly args: readonly string[]
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
}

/** The program as it is installed: bundled. */
export const MAIN: string = resolve(import.meta.dirname, '../../../apps/pipe-backup/bin/pipe-backup.js')

/** This program in a directory that is its home, too. */
export function programIn(directory: string, ...args: readonly string[]): Command {
  return { file: process.execPath, args: [MAIN, ...args], cwd: directory, env: { HOME: directory } }
}

/** A command without what it writes. */
export function toNowhere({ file, args, ...options }: Command): Command {
  return { file: 'sh', args: ['-c', 'exec "$@" > /dev/null', 'sh', file, ...args], ...options }
}

export interface Sample {
  readonly wallSeconds: number
  /** User and system time of the process and all its children. */
  readonly cpuSeconds: number
  /** Of its largest process. */
  readonly peakMib: number
  /** Cores that others used meanwhile: above 0.3 the sample says little. */
  readonly othersCores: number
  readonly stdout: string
}

/** Runs a command under GNU time. @throws ExecaError when it fails */
export async function measure(command: Command, work: string): Promise<Sample> {
  const { file, args, ...options } = command
  const figures = join(work, 'time')
  const started = performance.now()
  const busyBefore = busySeconds()
  const { stdout } = await execa(
    '/usr/bin/time',
    ['--quiet', '--format=%U %S %M', `--output=${figures}`, file, ...args],
    { ...options, stdin: 'ignore' },
  )
  const wallSeconds = (performance.now() - started) / 1000
  const busy = busySeconds() - busyBefore
  const [user = 0, system = 0, kib = 0] = readFileSync(figures, 'utf8').trim().split(' ').map(Number)
  const cpuSeconds = user + system
  const othersCores = Math.max(0, busy - cpuSeconds) / wallSeconds
  return { wallSeconds, cpuSeconds, peakMib: kib / 1024, othersCores, stdout }
}

/** CPU time that all of this machine's processes have used since it started. */
function busySeconds(): number {
  const [line = ''] = readFileSync('/proc/stat', 'utf8').split('\n')
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = line
    .trim()
    .split(/\s+/)
    .slice(1)
    .map(Number)
  // In hundredths of a second: USER_HZ is 100 on every Linux that Node runs on.
  return (user + nice + system + irq + softirq) / 100
}

/** Writes back what is dirty and reads the data set once, so that every sample starts with it in memory. */
export async function warm(directory: string): Promise<void> {
  await execa('sync')
  await execa({ stdout: 'ignore' })`tar -cf /dev/stdout -C ${directory} .`
}
