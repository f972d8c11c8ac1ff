import { ensureDebianPackages } from './debian-packages.ts'
import { SWIFT_PACKAGES } from './swift.ts'

/**
 * All that the tests start or call and that npm does not bring. Run before them: `node test/services/src/install.ts`; with `swift` it installs what
 * `npm run test:swift` needs.
 */
const PACKAGES = [
  'acl',
  'apache2-bin',
  'attr',
  'ceph-mon',
  'ceph-osd',
  'chromium',
  'cron',
  'curl',
  'fish',
  'groff-base',
  'libapache2-mod-php',
  'libarchive-tools',
  'libcap2-bin',
  'man-db',
  'mariadb-client',
  'mariadb-server',
  'openssh-client',
  'openssh-server',
  'php-sabre-dav',
  'postgresql',
  'proftpd-core',
  'proftpd-mod-crypto',
  'prometheus',
  'python3-dropbox',
  'python3-nacl',
  'python3-zstandard',
  'radosgw',
  'rclone',
  'restic',
  'rsync',
  'strace',
  'systemd',
  'zsh',
]

try {
  ensureDebianPackages(process.argv[2] === 'swift' ? SWIFT_PACKAGES : PACKAGES)
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}
