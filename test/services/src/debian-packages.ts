import { spawnSync } from 'node:child_process'
import { existsSync, rmSync, writeFileSync } from 'node:fs'

/** Asked by Debian's maintainer scripts before they start a service; 101 means: do not. */
const POLICY = '/usr/sbin/policy-rc.d'
const POLICY_SCRIPT = '#!/bin/sh\n# The tests start their own servers.\nexit 101\n'

/** The packages of `names` that dpkg does not have fully installed. */
export function missingDebianPackages(names: readonly string[]): string[] {
  return names.filter((name) => {
    const asked = spawnSync('dpkg-query', ['--show', '--showformat=${db:Status-Status}', name], {
      encoding: 'utf8',
    })
    if (asked.error)
      throw new Error('dpkg-query is not here: the tests need Debian or Ubuntu', { cause: asked.error })
    return asked.stdout !== 'installed'
  })
}

/**
 * Installs what is missing of `names` with apt-get, without recommended packages. No service is started by it.
 * @param say - called with a line about what is about to be installed; by default on stderr.
 * @throws Error that names the command to run, when this process is not root; or when apt-get fails.
 */
export function ensureDebianPackages(
  names: readonly string[],
  say: (line: string) => void = (line) => process.stderr.write(`${line}\n`),
): void {
  const missing = missingDebianPackages(names)
  if (missing.length === 0) return
  const install = ['install', '--yes', '--no-install-recommends', ...missing]
  if (process.getuid?.() !== 0) {
    throw new Error(`the tests need packages that are not here; as root: apt-get ${install.join(' ')}`)
  }
  say(`installing for the tests: ${missing.join(' ')}`)
  const ownPolicy = !existsSync(POLICY)
  if (ownPolicy) writeFileSync(POLICY, POLICY_SCRIPT, { mode: 0o755 })
  try {
    aptGet(['update'])
    aptGet(install)
  } finally {
    if (ownPolicy) rmSync(POLICY, { force: true })
  }
  const left = missingDebianPackages(names)
  if (left.length > 0) throw new Error(`apt-get ended well, and still not installed: ${left.join(' ')}`)
}

function aptGet(args: readonly string[]): void {
  const ran = spawnSync('apt-get', ['--quiet', '--option', 'DPkg::Lock::Timeout=300', ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 64 * 1024 * 1024,
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C.UTF-8' },
  })
  if (ran.status === 0) return
  const lines = `${ran.stdout}\n${ran.stderr}`.trim().split('\n').slice(-15).join('\n')
  throw new Error(`apt-get ${args.join(' ')} failed:\n${lines}`, { cause: ran.error })
}
