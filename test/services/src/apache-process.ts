import { chownSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startServer } from './server-process.ts'

/** Debian's user for it; as root it answers requests under that name. */
const USER = { name: 'www-data', id: 33 }

const MODULES = '/usr/lib/apache2/modules'

export interface ApacheOptions {
  /** Where its own files go: removed when it ends, or does not start. */
  readonly directory: string
  readonly port: number
  readonly modules: readonly string[]
  /** Lines of the configuration, besides those that every server has. */
  readonly lines: readonly string[]
}

/** Starts Apache httpd. @returns what stops it */
export async function startApacheProcess(options: ApacheOptions): Promise<() => Promise<void>> {
  const { directory, port, modules, lines } = options
  const at = (name: string) => join(directory, name)
  const all = [
    `ServerRoot ${directory}`,
    'ServerName 127.0.0.1',
    `Listen 127.0.0.1:${port}`,
    `PidFile ${at('pid')}`,
    `DefaultRuntimeDir ${directory}`,
    `ErrorLog ${at('errors')}`,
    'LogLevel warn',
    ...modules.map((name) => `LoadModule ${name} ${MODULES}/${fileOf(name)}`),
    ...(process.getuid?.() === 0 ? [`User ${USER.name}`, `Group ${USER.name}`] : []),
    'KeepAlive On',
    'MaxKeepAliveRequests 0',
    ...lines,
  ]
  writeFileSync(at('config'), `${all.join('\n')}\n`)
  const server = await startServer('/usr/sbin/apache2', ['-DNO_DETACH', '-f', at('config')], port).catch(
    (cause: unknown) => {
      const said = existsSync(at('errors')) ? readFileSync(at('errors'), 'utf8') : ''
      rmSync(directory, { recursive: true, force: true })
      throw new Error(`Apache did not start:\n${said}`, { cause })
    },
  )
  // So started it leads a process group of its own: it ends all of that, and its children outlive it when it is killed.
  const killAll = (): void => {
    try {
      process.kill(-server.pid, 'SIGKILL')
    } catch {
      // They have all gone.
    }
  }
  process.once('exit', killAll)
  return async () => {
    await server.stop()
    process.off('exit', killAll)
    killAll()
    rmSync(directory, { recursive: true, force: true })
  }
}

/** Gives what the server is to write to its user. */
export function giveToApache(...paths: readonly string[]): void {
  if (process.getuid?.() === 0) for (const path of paths) chownSync(path, USER.id, USER.id)
}

function fileOf(module: string): string {
  return module === 'php_module' ? 'libphp8.2.so' : `mod_${module.replace(/_module$/, '')}.so`
}
