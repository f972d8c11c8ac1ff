import { existsSync } from 'node:fs'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { execa } from 'execa'
import { CommandError } from '../command-error.ts'
import type { LoadedConfig } from '../config/load-config.ts'
import { userConfigDirectory } from '../config/locations.ts'
import type { Machine } from '../machine.ts'
import { hasSecretCommand } from '../secrets/read-secret.ts'
import { calendarEvents } from './calendar-events.ts'

/** The two units of a vault. */
export interface Units {
  readonly service: string
  readonly timer: string
}

/** Whether systemd runs this machine. @see https://www.freedesktop.org/software/systemd/man/latest/sd_booted.html */
export function isSystemdBooted(): boolean {
  return existsSync('/run/systemd/system')
}

export function unitName(vault: string): string {
  return `pipe-backup-${vault}`
}

/** Where units go: the system's for root, the user's for anybody else. */
export function unitDirectory(machine: Machine): string {
  if (machine.uid === 0) return '/etc/systemd/system'
  return join(dirname(userConfigDirectory(machine)), 'systemd', 'user')
}

/**
 * The texts of the units.
 * @param machine - whose units they are: the system's for root, else the user's
 * @param command - program and arguments
 * @param environment - as `timerEnvironment` gives it
 */
export function unitTexts(
  machine: Pick<Machine, 'uid'>,
  config: LoadedConfig,
  cron: string,
  command: readonly string[],
  environment: readonly string[],
): Units {
  const writable = [config.state, ...localSinkPaths(config), ...metricsDirectory(config)]
  return {
    service: `[Unit]
Description=Backup of ${config.vault} by pipe-backup
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
ExecStart=${command.map(argumentQuoted).join(' ')}
${environment.map((variable) => `Environment=${unitQuoted(variable)}`).join('\n')}
# Secrets that the configuration takes from the environment.
EnvironmentFile=-${unitQuoted(join(dirname(config.file), `${config.vault}.env`)).replaceAll('"', '')}
UMask=0077
Nice=10
IOSchedulingClass=best-effort
IOSchedulingPriority=7
KillMode=mixed
TimeoutStopSec=15s
${hardening(config, writable, machine.uid !== 0)}`,
    timer: `[Unit]
Description=Timer of the backup of ${config.vault} by pipe-backup

[Timer]
${calendarEvents(cron)
  .map((event) => `OnCalendar=${event}`)
  .join('\n')}
Persistent=true
RandomizedDelaySec=60s

[Install]
WantedBy=timers.target
`,
  }
}

/** What it can do without. Other people's programs need what is not known: with them in the configuration little is fenced in. */
function hardening(config: LoadedConfig, writable: readonly string[], isUser: boolean): string {
  const hasOthers = runsOtherPrograms(config)
  const lines = [
    ...(isUser && hasOthers ? [] : ['LockPersonality=yes', 'RestrictRealtime=yes']),
    ...(isUser ? [] : ['ProtectClock=yes', 'ProtectKernelModules=yes']),
    ...(hasOthers
      ? []
      : [
          'NoNewPrivileges=yes',
          'RestrictSUIDSGID=yes',
          'RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK',
        ]),
    // A user's manager has no right to them but in a user namespace (PrivateUsers=), where all files of others seem to be nobody's:
    // https://github.com/systemd/systemd/pull/25233. What it filters without that right means NoNewPrivileges=, which hooks may not bear.
    ...(hasOthers || isUser
      ? []
      : [
          'ProtectSystem=strict',
          'ProtectHome=read-only',
          'ProtectKernelTunables=yes',
          'ProtectControlGroups=yes',
          ...writable.map((path) => `ReadWritePaths=-${unitQuoted(path)}`),
        ]),
  ]
  return lines.map((line) => `${line}\n`).join('')
}

/** Hooks, sources and notifications that are commands, secrets that a command prints. */
function runsOtherPrograms(config: LoadedConfig): boolean {
  const { sources, sinks, notify = [] } = config
  return (
    [config, ...sources].some(({ before, after }) => before ?? after) ||
    [...sources, ...notify].some(({ type }) => type === 'command') ||
    hasSecretCommand([sources, sinks, notify])
  )
}

/** The file is replaced, not written to: that takes its directory. */
function metricsDirectory({ metrics, path }: LoadedConfig): readonly string[] {
  return metrics?.file === undefined ? [] : [dirname(path(metrics.file))]
}

function localSinkPaths(config: LoadedConfig): readonly string[] {
  return config.sinks.flatMap((sink) =>
    sink.type === 'local' && 'path' in sink && typeof sink.path === 'string' ? [config.path(sink.path)] : [],
  )
}

/**
 * Whether the timer of this user runs only while the user is logged in: nothing lets the user's manager linger.
 * @param marks - where systemd-logind keeps the names of those who linger
 */
export function endsWithLogin(machine: Machine, user: string, marks = '/var/lib/systemd/linger'): boolean {
  return machine.uid !== 0 && !existsSync(join(marks, user))
}

/** @throws CommandError `no-scheduler` */
export async function installUnits(machine: Machine, vault: string, units: Units): Promise<void> {
  const directory = unitDirectory(machine)
  const name = unitName(vault)
  await mkdir(directory, { recursive: true })
  await writeFile(join(directory, `${name}.service`), units.service)
  await writeFile(join(directory, `${name}.timer`), units.timer)
  await systemctl(machine, 'daemon-reload')
  await systemctl(machine, 'enable', '--now', `${name}.timer`)
}

/** @returns the texts that are installed, or undefined */
export async function readUnits(machine: Machine, vault: string): Promise<Units | undefined> {
  const read = (kind: string): Promise<string> =>
    readFile(join(unitDirectory(machine), `${unitName(vault)}.${kind}`), 'utf8')
  try {
    return { service: await read('service'), timer: await read('timer') }
  } catch {
    return undefined
  }
}

/** @returns whether there were any @throws CommandError `no-scheduler` */
export async function removeUnits(machine: Machine, vault: string): Promise<boolean> {
  if ((await readUnits(machine, vault)) === undefined) return false
  const name = unitName(vault)
  await systemctl(machine, 'disable', '--now', `${name}.timer`)
  for (const kind of ['timer', 'service'])
    await rm(join(unitDirectory(machine), `${name}.${kind}`), { force: true })
  await systemctl(machine, 'daemon-reload')
  return true
}

async function systemctl(machine: Machine, ...args: readonly string[]): Promise<void> {
  const user = machine.uid === 0 ? [] : ['--user']
  const { failed, stderr } = await execa('systemctl', [...user, ...args], { reject: false, stdin: 'ignore' })
  if (failed)
    throw new CommandError('no-scheduler', `systemctl ${args[0]} failed: ${stderr.trim().split('\n').at(-1)}`)
}

/** A word of a command line, where $ begins a variable too. */
function argumentQuoted(word: string): string {
  return unitQuoted(word).replaceAll('$', '$$$$')
}

/** A word as a unit file wants it. @see https://www.freedesktop.org/software/systemd/man/latest/systemd.service.html#Command%20lines */
function unitQuoted(word: string): string {
  const escaped = word.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('%', '%%')
  return /^[\w./:=@+-]+$/.test(word) ? word : `"${escaped}"`
}
