import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url))

test('help and the version load neither the configuration nor a sink', async () => {
  const hooks = `data:text/javascript,${encodeURIComponent(`
    import { registerHooks } from 'node:module'
    const load = (url, context, next) => (console.error(url), next(url, context))
    registerHooks({ load })`)}`
  for (const words of [['--help'], ['--version'], ['dropbox', 'login', '--help']]) {
    const child = spawn(
      process.execPath,
      ['--import', hooks, '--conditions=pipe-backup-src', MAIN, ...words],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    )
    const loaded = (await text(child.stderr)).trim().split('\n')
    expect(loaded).toContain(pathToFileURL(MAIN).href)
    expect(loaded.filter((url) => /zod|prom-client|\/packages\/|schema|sink\.ts/.test(url))).toEqual([])
    expect(loaded.length).toBeLessThan(50)
  }
})
