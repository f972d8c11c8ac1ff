import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { giveToApache, startApacheProcess } from './apache-process.ts'
import { freePort } from './free-port.ts'

/** An empty collection of a WebDAV server. */
export interface DavCollection {
  /** The same directory, on this machine. */
  readonly local: string
  /** Its path on the server, ending in `/`. */
  readonly path: string
  readonly url: string
}

export interface DavServer extends AsyncDisposable {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
  makeCollection(): DavCollection
}

/** What the places of an Apache have that others don't. */
export type ApacheFlavour =
  /** HTTP's Basic authentication. */
  | 'basic'
  /** HTTP's Digest authentication. */
  | 'digest'
  /** No request's body has more than 1 MiB. */
  | 'limited'
  /** What is asked for is somewhere else. */
  | 'moved'
  /** Neither delete nor overwrite. */
  | 'append-only'

export interface ApacheServer extends DavServer {
  makeCollection(flavour?: ApacheFlavour): DavCollection
  /** The same server by TLS, with a certificate of its own making. */
  readonly tls: { readonly port: number; readonly ca: string }
}

const MODULES = [
  'mpm_event_module',
  'authn_core_module',
  'authn_file_module',
  'authz_core_module',
  'authz_user_module',
  'auth_basic_module',
  'auth_digest_module',
  'alias_module',
  'dav_module',
  'dav_fs_module',
  'dir_module',
  'socache_shmcb_module',
  'ssl_module',
]
const FLAVOURS: readonly ApacheFlavour[] = ['basic', 'digest', 'limited', 'moved', 'append-only']

/** Starts Apache's mod_dav, on free ports of 127.0.0.1. */
export async function startApache(): Promise<ApacheServer> {
  const directory = mkdtempSync(join(tmpdir(), 'apache-'))
  chmodSync(directory, 0o755)
  const at = (name: string) => join(directory, name)
  const [port, tlsPort] = [await freePort(), await freePort()]
  const [user, password, realm] = ['tester', 'a pass"wörd', 'backups']
  const hash = (algorithm: string, text: string) => createHash(algorithm).update(text)
  writeFileSync(at('basic'), `${user}:{SHA}${hash('sha1', password).digest('base64')}\n`)
  const secret = hash('md5', `${user}:${realm}:${password}`).digest('hex')
  writeFileSync(at('digest'), `${user}:${realm}:${secret}\n`)
  for (const name of ['root', 'locks', ...FLAVOURS.map((flavour) => `root/${flavour}`)]) mkdirSync(at(name))
  giveToApache(at('locks'), ...FLAVOURS.map((flavour) => at(`root/${flavour}`)))
  const certificate = ['-keyout', at('key.pem'), '-out', at('cert.pem'), '-days', '2', '-nodes']
  const names = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1']
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1']
  execFileSync('openssl', ['req', '-x509', ...key, ...certificate, ...names], { stdio: 'pipe' })
  const login = (type: string) => [
    `AuthType ${type}`,
    `AuthName ${realm}`,
    `AuthUserFile ${at(type.toLowerCase())}`,
  ]
  const location = (flavour: ApacheFlavour, ...lines: readonly string[]) => [
    `<Location /${flavour}>`,
    'Dav On',
    ...(flavour === 'append-only'
      ? [
          '<LimitExcept DELETE>',
          'Require valid-user',
          '</LimitExcept>',
          '<Limit DELETE>',
          'Require all denied',
          '</Limit>',
        ]
      : ['Require valid-user']),
    ...lines,
    '</Location>',
  ]
  const stop = await startApacheProcess({
    directory,
    port,
    modules: MODULES,
    lines: [
      'StartServers 1',
      'ThreadsPerChild 25',
      'MaxRequestWorkers 50',
      `DocumentRoot ${at('root')}`,
      `DavLockDB ${at('locks/db')}`,
      'AuthDigestShmemSize 1000',
      ...location('basic', ...login('Basic')),
      ...location('digest', ...login('Digest'), 'AuthDigestNonceLifetime 2'),
      ...location('limited', ...login('Basic'), 'LimitRequestBody 1048576'),
      ...location('moved', ...login('Basic')),
      'RedirectMatch 307 ^/moved/(.*)$ http://localhost:1/elsewhere/$1',
      ...location('append-only', ...login('Basic')),
      `Listen 127.0.0.1:${tlsPort}`,
      `<VirtualHost 127.0.0.1:${tlsPort}>`,
      'SSLEngine on',
      `SSLCertificateFile ${at('cert.pem')}`,
      `SSLCertificateKeyFile ${at('key.pem')}`,
      '</VirtualHost>',
    ],
  })
  let made = 0
  return {
    host: '127.0.0.1',
    port,
    user,
    password,
    tls: { port: tlsPort, ca: readFileSync(at('cert.pem'), 'utf8') },
    makeCollection: (flavour = 'basic') => {
      const path = `/${flavour}/place%20${++made}/`
      const local = join(at('root'), decodeURIComponent(path))
      mkdirSync(local)
      giveToApache(local)
      return { local, path, url: `http://127.0.0.1:${port}${path}` }
    },
    [Symbol.asyncDispose]: stop,
  }
}
