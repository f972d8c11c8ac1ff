import { execa } from 'execa'
import { CommandError } from '../command-error.ts'
import { shellQuoted } from '../shell-quoted.ts'
import { plainCron } from './cron-expression.ts'

/** At the end of the line that is ours. */
function markOf(vault: string): string {
  return `# pipe-backup ${vault}`
}

/**
 * The line of a crontab.
 * @param command - program and arguments
 * @param environment - as `timerEnvironment` gives it
 */
export function crontabLine(
  vault: string,
  cron: string,
  command: readonly string[],
  environment: readonly string[],
): string {
  // In a crontab % is the end of the line.
  const words = ['env', ...environment, ...command].map((word) =>
    shellQuoted(word).replaceAll('%', String.raw`\%`),
  )
  return `${plainCron(cron)} ${words.join(' ')} ${markOf(vault)}`
}

/** @returns the line that is installed, or undefined @throws CommandError `no-scheduler` */
export async function findCrontabLine(vault: string): Promise<string | undefined> {
  return (await readCrontab()).find((line) => line.endsWith(markOf(vault)))
}

/** Puts the line in the place of the one there was. @throws CommandError `no-scheduler` */
export async function installCrontabLine(vault: string, line: string): Promise<void> {
  const others = (await readCrontab()).filter((old) => !old.endsWith(markOf(vault)))
  await writeCrontab([...others, line])
}

/** @returns whether there was one @throws CommandError `no-scheduler` */
export async function removeCrontabLine(vault: string): Promise<boolean> {
  const lines = await readCrontab()
  const others = lines.filter((line) => !line.endsWith(markOf(vault)))
  if (others.length === lines.length) return false
  await writeCrontab(others)
  return true
}

async function readCrontab(): Promise<string[]> {
  const { exitCode, stdout, stderr } = await execa('crontab', ['-l'], { reject: false, stdin: 'ignore' })
  if (exitCode === 0) return stdout.split('\n').filter((line, i, all) => line !== '' || i < all.length - 1)
  if (exitCode === 1 && /no crontab/i.test(stderr)) return []
  throw new CommandError(
    'no-scheduler',
    `the crontab could not be read: ${stderr.trim() || 'is cron installed?'}`,
  )
}

async function writeCrontab(lines: readonly string[]): Promise<void> {
  const { exitCode, stderr } = await execa('crontab', ['-'], {
    reject: false,
    input: lines.map((line) => `${line}\n`).join(''),
  })
  if (exitCode !== 0)
    throw new CommandError('no-scheduler', `the crontab could not be written: ${stderr.trim()}`)
}
