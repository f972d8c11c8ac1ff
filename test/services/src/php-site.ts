import { chmodSync, mkdirSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { giveToApache, startApacheProcess } from './apache-process.ts'
import { freePort } from './free-port.ts'

export interface PhpSite extends AsyncDisposable {
  readonly port: number
  /** Directories that the scripts can write to. */
  readonly root: string
  readonly state: string
}

export interface PhpSiteOptions {
  /** Scripts of this directory by the path on the server that they answer for, with all below it. */
  readonly scripts: Readonly<Record<string, string>>
  /** Besides `DAV_ROOT` and `DAV_STATE`. */
  readonly environment: Readonly<Record<string, string>>
}

const MODULES = ['mpm_prefork_module', 'authz_core_module', 'alias_module', 'env_module', 'php_module']
/** More than any test keeps busy: each connection that is kept takes one. */
const PROCESSES = 64

/** Starts Apache with mod_php, on a free port of 127.0.0.1. */
export async function startPhpSite({ scripts, environment }: PhpSiteOptions): Promise<PhpSite> {
  const directory = mkdtempSync(join(tmpdir(), 'php-'))
  chmodSync(directory, 0o755)
  const [root, state] = [join(directory, 'root'), join(directory, 'state')]
  for (const path of [root, state]) mkdirSync(path)
  giveToApache(root, state)
  const port = await freePort()
  const set = { ...environment, DAV_ROOT: root, DAV_STATE: state }
  const stop = await startApacheProcess({
    directory,
    port,
    modules: MODULES,
    lines: [
      'StartServers 4',
      'MinSpareServers 4',
      `MaxRequestWorkers ${PROCESSES}`,
      `ServerLimit ${PROCESSES}`,
      'KeepAliveTimeout 5',
      ...Object.entries(set).map(([name, value]) => `SetEnv ${name} ${JSON.stringify(value)}`),
      ...Object.entries(scripts).map(([path, name]) => `Alias ${path} ${join(import.meta.dirname, name)}`),
      `<Directory ${import.meta.dirname}>`,
      'Require all granted',
      'SetHandler application/x-httpd-php',
      'AcceptPathInfo On',
      'php_admin_flag display_errors off',
      'php_admin_flag log_errors on',
      'php_admin_flag output_buffering off',
      'php_admin_value memory_limit 256M',
      // sabre/dav 1.8 is older than this PHP.
      'php_admin_value error_reporting 8191',
      '</Directory>',
    ],
  })
  return {
    port,
    root,
    state,
    [Symbol.asyncDispose]: stop,
  }
}
