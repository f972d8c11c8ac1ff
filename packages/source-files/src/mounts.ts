import type { BigIntStats } from 'node:fs'
import { readFile, statfs } from 'node:fs/promises'
import { toDeviceNumbers } from './device-numbers.ts'
import { within } from './file-calls.ts'
import { type ConfiguredPath, isWithin } from './roots.ts'

/**
 * File systems without files: what the kernel shows of itself, made as it is read. Their number has no end (`/proc/PID/pagemap`
 * is hundreds of gigabytes), and nothing of them can be restored.
 */
const KERNEL: ReadonlySet<string> = new Set(
  (
    'proc sysfs cgroup cgroup2 cpuset debugfs tracefs devpts devtmpfs securityfs selinuxfs smackfs pstore bpf configfs ' +
    'mqueue fusectl binfmt_misc rpc_pipefs nsfs efivarfs hugetlbfs nfsd resctrl xenfs'
  ).split(' '),
)

/** Those whose answers come from a server or from a program, which may never come. */
const REMOTE =
  /^(?:nfs4?|cifs|smb3|smbfs|ncpfs|fuse(?:blk|\..*)?|9p|virtiofs|vboxsf|vmhgfs|prl_fs|ceph|afs|coda|lustre|beegfs|orangefs|pvfs2|gpfs|ocfs2|gfs2|autofs)$/

/** What statfs(2) calls them, for where /proc is not there to give their names. `devtmpfs` calls itself `tmpfs`. See linux/magic.h. */
const NAMES_BY_MAGIC: ReadonlyMap<number, string> = new Map([
  [0x9fa0, 'proc'],
  [0x62656572, 'sysfs'],
  [0x27e0eb, 'cgroup'],
  [0x63677270, 'cgroup2'],
  [0x64626720, 'debugfs'],
  [0x74726163, 'tracefs'],
  [0x1cd1, 'devpts'],
  [0x73636673, 'securityfs'],
  [0xf97cff8c, 'selinuxfs'],
  [0x43415d53, 'smackfs'],
  [0x6165676c, 'pstore'],
  [0xcafe4a11, 'bpf'],
  [0x62656570, 'configfs'],
  [0x19800202, 'mqueue'],
  [0x65735543, 'fusectl'],
  [0x42494e4d, 'binfmt_misc'],
  [0x67596969, 'rpc_pipefs'],
  [0x6e736673, 'nsfs'],
  [0xde5e81e4, 'efivarfs'],
  [0x958458f6, 'hugetlbfs'],
  [0x6e667364, 'nfsd'],
  [0x6969, 'nfs'],
  [0x517b, 'smbfs'],
  [0xff534d42, 'cifs'],
  [0xfe534d42, 'smb3'],
  [0x65735546, 'fuse'],
  [0x01021997, '9p'],
  [0x00c36400, 'ceph'],
  [0x5346414f, 'afs'],
  [0x73757245, 'coda'],
  [0x0bd00bd0, 'lustre'],
  [0x0187, 'autofs'],
])

const PROC = Buffer.from('/proc')

interface Mount {
  readonly point: Buffer
  readonly type: string
  readonly device: string
}

export function isKernelType(type: string | undefined): boolean {
  return type !== undefined && KERNEL.has(type)
}

export function isRemoteType(type: string | undefined): boolean {
  return type !== undefined && REMOTE.test(type)
}

/**
 * What is mounted where, as the kernel lists it: without a question to the file systems themselves, of which one that hangs would
 * hold whoever looks at its mount point.
 */
export class Mounts {
  #mounts: readonly Mount[] = []

  static async read(): Promise<Mounts> {
    const mounts = new Mounts()
    await mounts.#read()
    return mounts
  }

  /** The type of the file system that an absolute path without links is on; `undefined` where the kernel does not say. */
  typeAt(path: Buffer): string | undefined {
    let found: Mount | undefined
    // Of two that are mounted on one place the later one is seen.
    for (const mount of this.#mounts)
      if (isWithin(path, mount.point) && mount.point.length >= (found?.point.length ?? 0)) found = mount
    return found?.type
  }

  /** Whether a remote one is mounted in a directory, wherever below it. */
  hasRemoteBelow(directory: Buffer): boolean {
    return this.#mounts.some(
      // In /proc is one of systemd's own, which is never entered.
      ({ point, type }) => isRemoteType(type) && isWithin(point, directory) && !isWithin(point, PROC),
    )
  }

  /** The type of the file system that a directory is on, which has just answered. */
  async typeOf(
    absolute: Buffer,
    { dev }: BigIntStats,
    signal: AbortSignal | undefined,
  ): Promise<string | undefined> {
    const { major, minor } = toDeviceNumbers(dev)
    const device = `${major}:${minor}`
    const known = (): string | undefined => this.#mounts.findLast((mount) => mount.device === device)?.type
    if (known() === undefined) await this.#read()
    // A subvolume has a device of its own that stands in no list.
    return known() ?? (await typeByMagic(absolute, signal))
  }

  /**
   * Which names in which directory (absolute, with a `/` at its end) are mount points, and of what type, where a walk
   * meets them that starts from these configured paths.
   */
  byDirectory(roots: readonly ConfiguredPath[]): Map<string, Map<string, string>> {
    const found = new Map<string, Map<string, string>>()
    for (const { point, type } of this.#mounts) {
      for (const { root, real } of roots) {
        if (!isWithin(point, real) || point.length === real.length) continue
        const below = point.subarray(real.length === 1 ? 1 : real.length + 1)
        const path = Buffer.concat([root, Buffer.from(root.length === 1 ? '' : '/'), below]).toString(
          'latin1',
        )
        const nameAt = path.lastIndexOf('/') + 1
        const directory = path.slice(0, nameAt)
        const names = found.get(directory) ?? new Map<string, string>()
        found.set(directory, names.set(path.slice(nameAt), type))
      }
    }
    return found
  }

  async #read(): Promise<void> {
    const text = await readFile('/proc/self/mountinfo', 'latin1').catch(() => '')
    this.#mounts = text.split('\n').flatMap(parseMount)
  }
}

/** `36 35 98:0 /in-it /mounted\040here rw,noatime master:1 - ext3 /dev/root rw`, see proc_pid_mountinfo(5). */
function parseMount(line: string): Mount[] {
  const [own = '', rest = ''] = line.split(' - ')
  const [, , device, , point] = own.split(' ')
  const [type] = rest.split(' ')
  if (device === undefined || point === undefined || type === undefined || type === '') return []
  const plain = point.replaceAll(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  )
  return [{ point: Buffer.from(plain, 'latin1'), type, device }]
}

async function typeByMagic(absolute: Buffer, signal: AbortSignal | undefined): Promise<string | undefined> {
  try {
    const { type } = await within(signal, () => statfs(absolute))
    return NAMES_BY_MAGIC.get(type)
  } catch {
    signal?.throwIfAborted()
    return undefined
  }
}
