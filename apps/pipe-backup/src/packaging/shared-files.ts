import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { execa } from 'execa'
import { ROOT } from './program-tree.ts'

const APP = join(ROOT, 'apps/pipe-backup')

/** Starts the program with the Node.js that is beside it, wherever it was put and by whatever link it is called. */
export function launcher(program: string): string {
  return `#!/bin/sh
self=$(readlink -f -- "$0")
here=\${self%/*}
exec "$here/${program}/node" "$here/${program}/bin/pipe-backup.js" "$@"
`
}

/** Writes, below a prefix such as \`/usr\`, the manual page, what shells complete with, and systemd's units. */
export async function writeSharedFiles(prefix: string): Promise<void> {
  const put = async (path: string, content: string | Uint8Array): Promise<void> => {
    await mkdir(dirname(join(prefix, path)), { recursive: true })
    await writeFile(join(prefix, path), content)
  }
  await put(
    'share/man/man1/pipe-backup.1.gz',
    gzipSync(await readFile(join(APP, 'bundle/pipe-backup.1')), { level: 9 }),
  )
  await put('share/bash-completion/completions/pipe-backup', await completion('bash'))
  await put('share/fish/vendor_completions.d/pipe-backup.fish', await completion('fish'))
  // zsh runs the file as the completion, the first time: then it has to complete, too.
  await put(
    'share/zsh/vendor-completions/_pipe-backup',
    `#compdef pipe-backup\n${await completion('zsh')}\n_bash_complete -F _pipe_backup\n`,
  )
  for (const unit of ['pipe-backup@.service', 'pipe-backup@.timer'])
    await put(`lib/systemd/system/${unit}`, await readFile(join(import.meta.dirname, 'systemd', unit)))
}

async function completion(shell: string): Promise<string> {
  return (await execa(process.execPath, [join(APP, 'bin/pipe-backup.js'), 'completion', shell])).stdout
}
