import { type ChildProcess, spawn } from 'node:child_process'
import { Socket } from 'node:net'

/**
 * Reads what there will be to do, and does it when it reads no more: when this process has ended, by whatever signal. It is deaf to those
 * that end a whole service at once, or it would end before what it waits for.
 */
const SCRIPT = `
trap '' HUP INT TERM
groups=' '
while read -r what which; do
  case $what in
    group) groups="$groups$which " ;;
    ended) groups="\${groups%% $which *} \${groups#* $which }" ;;
    directory) set -- "$@" "$which" ;;
  esac
done
for group in $groups; do kill -s KILL -- "-$group"; done
[ $# = 0 ] || rm -rf -- "$@" || { sleep 1; rm -rf -- "$@"; }
`

let executor: ChildProcess | undefined

/**
 * Has something done when this process ends, also by `kill -9`: a `directory` is removed; a process `group` is killed, unless it has
 * `ended` before. By itself a program would go on, and its object appear when nobody wants it any more.
 */
export function cleanUp(what: 'directory' | 'group' | 'ended', which: string | number): void {
  if (`${which}`.includes('\n')) return
  executor ??= start()
  executor.stdin?.write(`${what} ${which}\n`)
}

function start(): ChildProcess {
  const { PATH = '/usr/bin:/bin' } = process.env
  const child = spawn('sh', ['-c', SCRIPT, 'pipe-backup-rsync'], {
    cwd: '/',
    env: { PATH, LC_ALL: 'C' },
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  })
  // Without a shell, or without memory for one, nothing else is lost: whoever opens a spool next removes what is left.
  child.on('error', () => undefined).unref()
  child.stdin.on('error', () => undefined)
  // It must not keep this process from ending.
  if (child.stdin instanceof Socket) child.stdin.unref()
  return child
}
