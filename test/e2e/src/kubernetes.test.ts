import { execFileSync } from 'node:child_process'
import { chownSync, cpSync, globSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { execa } from 'execa'
import { CronJob, Job } from 'kubernetes-models/batch/v1'
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1'
import { PersistentVolumeClaim } from 'kubernetes-models/v1'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { difference, MAIN, Sandbox } from './sandbox.ts'

const ROOT = resolve(import.meta.dirname, '../../..')
const DIRECTORY = join(ROOT, 'docs/kubernetes')
const FILES = globSync('{base,keeper,jobs}/*.yaml', { cwd: DIRECTORY })
const MANIFESTS = FILES.filter((file) => !/kustomization|pipe-backup\.yaml$/.test(file))
const USER = 10_001

const KINDS = { CronJob, Job, NetworkPolicy, PersistentVolumeClaim }

interface Container {
  readonly args: readonly string[]
  readonly env?: readonly { readonly name: string }[]
  readonly securityContext: object
  readonly volumeMounts: readonly {
    readonly name: string
    readonly mountPath: string
    readonly readOnly?: boolean
  }[]
}

interface Pod {
  readonly securityContext: { readonly runAsUser: number }
  readonly automountServiceAccountToken: boolean
  readonly containers: readonly [Container]
  readonly volumes: readonly {
    readonly name: string
    readonly persistentVolumeClaim?: { readonly claimName: string }
    readonly configMap?: { readonly name: string }
  }[]
}

function read<T>(file: string): T {
  return parse(readFileSync(join(DIRECTORY, file), 'utf8')) as T
}

function podOf(file: string): Pod {
  const { spec } = read<{
    spec: { jobTemplate: { spec: { template: { spec: Pod } } } } | { template: { spec: Pod } }
  }>(file)
  return 'jobTemplate' in spec ? spec.jobTemplate.spec.template.spec : spec.template.spec
}

const PODS = MANIFESTS.filter((file) =>
  /^kind: (Job|CronJob)$/m.test(readFileSync(join(DIRECTORY, file), 'utf8')),
)

test.for(MANIFESTS)('%s is what the schema of its kind allows', (file) => {
  const manifest = read<{ kind: keyof typeof KINDS }>(file)
  const Kind = KINDS[manifest.kind]
  expect(() => new Kind(manifest as never).validate()).not.toThrow()
})

test('the schemas are no yes-men: a misspelt value is refused', () => {
  const manifest = { ...read<object>('base/backup.yaml'), spec: { schedule: 5 } }
  expect(() => new CronJob(manifest as never).validate()).toThrow('schedule')
})

test.for(PODS)(
  '%s runs as nobody in particular, can write to its volumes alone, and mounts what it has',
  (file) => {
    const pod = podOf(file)
    const [container] = pod.containers
    expect(pod).toMatchObject({
      automountServiceAccountToken: false,
      restartPolicy: 'Never',
      securityContext: { runAsNonRoot: true, runAsUser: USER, seccompProfile: { type: 'RuntimeDefault' } },
    })
    expect(container.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    })
    const named = (list: readonly { readonly name: string }[]): string[] =>
      list.map(({ name }) => name).sort()
    expect(named(container.volumeMounts)).toEqual(named(pod.volumes))
  },
)

test.for(['base', 'keeper'])('the kustomization of %s names each file beside it', (directory) => {
  const { resources, configMapGenerator } = read<{
    resources: string[]
    configMapGenerator: [{ name: string; files: string[] }]
  }>(`${directory}/kustomization.yaml`)
  const files = readdirSync(join(DIRECTORY, directory)).filter((name) => name !== 'kustomization.yaml')
  expect([...resources, ...configMapGenerator[0].files].sort()).toEqual(files.sort())
})

/** A cluster's node, as far as a pod can see: what its volumes hold, and a root of which it can write nothing. */
class Node extends Sandbox {
  readonly #config = new Map<string, string>()

  constructor() {
    super()
    for (const name of ['usr', 'proc', 'dev', 'etc', ROOT])
      mkdirSync(this.path('root', name), { recursive: true })
    for (const name of ['volumes', 'sinks/ceph', 'sinks/away'])
      mkdirSync(this.path(name), { recursive: true })
    execFileSync('sh', [
      '-c',
      'for d in bin lib lib64 sbin; do [ -L /$d ] && cp -P /$d "$1"/; done; cp /etc/passwd "$1"/etc',
      'sh',
      this.path('root'),
    ])
    execFileSync('chmod', ['a+rx', this.root])
    for (const directory of ['base', 'keeper']) {
      const config = read<{ sinks: { name: string }[] }>(`${directory}/pipe-backup.yaml`)
      const sinks = config.sinks.map(({ name }) => ({ type: 'local', name, path: `/sinks/${name}` }))
      this.#config.set(
        directory === 'base' ? 'pipe-backup' : 'pipe-backup-keeper',
        JSON.stringify({ ...config, sinks }),
      )
    }
    execFileSync('chown', ['-R', `${USER}:${USER}`, this.path('sinks')])
  }

  /** What a claim has, or a new volume. */
  volume(name: string): string {
    const path = this.path('volumes', name)
    mkdirSync(path, { recursive: true })
    chownSync(path, USER, USER)
    return path
  }

  /** Runs the pod of a manifest. @param args - in the place of its own */
  async pod(file: string, phrase = '', args?: readonly string[]) {
    const { containers, volumes } = podOf(file)
    const [container] = containers
    const mounts = container.volumeMounts.map(({ name, mountPath, readOnly = false }) => {
      const volume = volumes.find((one) => one.name === name)
      const claim = volume?.persistentVolumeClaim?.claimName ?? volume?.configMap?.name ?? name
      const path = this.volume(volume?.configMap ? `config-${claim}` : claim)
      if (volume?.configMap) writeFileSync(join(path, 'pipe-backup.yaml'), this.#config.get(claim) ?? '')
      return `mkdir -p "$R${mountPath}"; mount --bind '${path}' "$R${mountPath}"; ${readOnly ? `mount -o remount,ro,bind "$R${mountPath}"` : ''}`
    })
    const script = `set -e; R='${this.path('root')}'
mount --bind "$R" "$R"; mkdir -p "$R/sinks"
mount --bind /usr "$R/usr"; mount --rbind /proc "$R/proc"; mount --rbind /dev "$R/dev"; mount --bind '${ROOT}' "$R${ROOT}"
mount --bind '${this.path('sinks')}' "$R/sinks"
${mounts.join('\n')}
mount -o remount,ro,bind "$R"
exec /usr/sbin/chroot --userspec=${USER}:${USER} "$R" "$@"`
    const words = [process.execPath, MAIN, ...(args ?? container.args)]
    return await execa('unshare', ['--mount', 'sh', '-c', script, 'sh', ...words], {
      env: { HOME: '/tmp', PATH: '/usr/bin', ...(container.env && { PIPE_BACKUP_PHRASE: phrase }) },
      extendEnv: false,
      stdin: 'ignore',
      reject: false,
    })
  }
}

test('the pods join, back up, restore and prune: as an ordinary user, in a root that can not be written to', async () => {
  using node = new Node()
  const data = node.volume('shop-data')
  // An application's files are its user's, and this one is the same.
  cpSync(DIRECTORY, join(data, 'tree'), { recursive: true })
  execFileSync('chown', ['-R', `${USER}:${USER}`, data])
  // The vault is made elsewhere, by whoever keeps the phrase.
  node.configure({ vault: 'fleet', sinks: node.sinks('ceph', 'away') })
  await node.ok(['init', '--phrase-out', 'phrase'])
  execFileSync('chown', ['-R', `${USER}:${USER}`, node.path('sinks')])
  const phrase = readFileSync(node.path('phrase'), 'utf8')
  const done = async (file: string): Promise<string> => {
    const { exitCode, stdout, stderr } = await node.pod(file, phrase)
    expect(exitCode, stdout + stderr).toBe(0)
    for (const line of stderr.split('\n')) JSON.parse(line)
    return stderr
  }
  const refused = await node.pod('base/backup.yaml')
  expect([refused.exitCode, refused.stderr]).toEqual([2, expect.stringContaining('this host has no key')])
  await done('jobs/join.yaml')
  await done('jobs/join-keeper.yaml')
  for (const round of [1, 2]) {
    writeFileSync(join(data, 'tree/round'), String(round))
    chownSync(join(data, 'tree/round'), USER, USER)
    await done('base/backup.yaml')
  }
  const pruned = await done('keeper/prune.yaml')
  expect(pruned).toContain('"event":"report"')
  const mayNot = await node.pod('base/backup.yaml', '', [
    'prune',
    '--config',
    '/etc/pipe-backup/pipe-backup.yaml',
  ])
  expect(mayNot.exitCode).not.toBe(0)
  await done('jobs/restore.yaml')
  expect(await difference(join(data, 'tree'), join(node.volume('shop-restored'), 'tree'))).toBe('')
})

test.for(['base', 'keeper'])('the configuration of %s is accepted', async (directory) => {
  using sandbox = new Sandbox()
  const file = join(DIRECTORY, directory, 'pipe-backup.yaml')
  const ran = await sandbox.run(['config', 'check', '--config', file])
  expect([ran.code, ran.err]).toEqual([0, ''])
})
