import { createWriteStream, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { execa } from 'execa'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { makeOddTree } from './odd-tree.ts'
import { Sandbox } from './sandbox.ts'
import { phraseOf, startUi, type UiServer } from './ui-server.ts'

let sandbox: Sandbox
let ui: UiServer
let headers: { cookie: string; origin: string }
let snapshot: string
beforeAll(async () => {
  sandbox = new Sandbox()
  mkdirSync(sandbox.path('odd'))
  makeOddTree(sandbox.path('odd'))
  writeFileSync(sandbox.path('odd/100%41'), 'looks escaped')
  sandbox.configure({
    sources: [
      { type: 'files', name: 'odd', paths: [sandbox.path('odd')] },
      { type: 'command', name: 'dump', run: ['echo', 'from a program'], path: 'said.txt' },
    ],
    sinks: sandbox.sinks('disk'),
  })
  await sandbox.ok(['init', '--phrase-out', 'phrase'])
  await sandbox.ok(['run'])
  ui = await startUi(sandbox)
  const opened = await fetch(ui.address, { redirect: 'manual' })
  const cookie = opened.headers.get('set-cookie') ?? ''
  headers = { cookie: cookie.slice(0, cookie.indexOf(';')), origin: ui.origin }
  const body = JSON.stringify({ phrase: phraseOf(sandbox) })
  await fetch(`${ui.origin}/api/phrase`, { method: 'POST', headers, body })
  const listed = await fetch(`${ui.origin}/api/snapshots`, { headers })
  snapshot = ((await listed.json()) as { snapshots: { id: string }[] }).snapshots[0]?.id ?? ''
})
afterAll(async () => {
  await ui[Symbol.asyncDispose]()
  sandbox[Symbol.dispose]()
})

/** Downloads a directory as a zip. @returns where it is */
async function zipOf(path: string, name: string): Promise<string> {
  const query = new URLSearchParams({ snapshot, path: Buffer.from(path).toString('base64url'), as: 'zip' })
  const answer = await fetch(`${ui.origin}/api/download?${String(query)}`, { headers })
  expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'application/zip'])
  if (!answer.body) throw new Error('the answer has no body')
  const file = sandbox.path(name)
  await pipeline(Readable.fromWeb(answer.body), createWriteStream(file))
  return file
}

test('a tree of odd names comes out of the zip as it was, by unzip and by bsdtar', async () => {
  const zip = await zipOf('odd', 'odd.zip')
  const tested = await execa('unzip', ['-tq', zip])
  expect(tested.stdout).toContain('No errors detected')
  mkdirSync(sandbox.path('by-bsdtar'))
  const locale = { LC_ALL: 'C.UTF-8' }
  await execa('bsdtar', ['-xpf', zip, '-C', sandbox.path('by-bsdtar')], { env: locale })
  await execa('unzip', ['-q', zip, '-d', sandbox.path('by-unzip')], { env: locale })
  for (const by of ['by-bsdtar', 'by-unzip']) {
    const [from, to] = [sandbox.path('odd'), sandbox.path(by, 'odd', sandbox.path('odd'))]
    // By content, type, permissions and target. Times of a zip are of two seconds; pipes, devices, owners and set-id bits have no place there.
    const { stdout } = await execa('rsync', ['-rlpcni', '--delete', `${from}/`, `${to}/`])
    const changed = stdout
      .split('\n')
      .filter((line) => !line.startsWith('skipping'))
      .sort()
    expect(changed, by).toEqual([
      '*deleting   100%2541',
      '*deleting   latin-%E9%FF',
      '*deleting   new%0Aline "quoted" %5C é 🦊',
      '.f...p..... setuid',
      ...[/100%41$/, /latin-/, /new.*line/].map((name) => expect.stringMatching(name)),
    ])
    expect(readFileSync(`${to}/d/second-name`, 'utf8')).toBe('small')
    expect(readFileSync(`${to}/latin-%E9%FF`, 'utf8')).toBe('name that is not UTF-8')
    expect(statSync(`${to}/small`).mtimeMs).toBe(1_234_567_890_000)
  }
})

test('what a program has written, whose size is known at its end, comes out of the zip', async () => {
  const dump = await zipOf('dump', 'dump.zip')
  expect((await execa('unzip', ['-p', dump])).stdout).toBe('from a program')
})

test('what is not there is refused before a zip is begun', async () => {
  const query = new URLSearchParams({
    snapshot,
    path: Buffer.from('odd/no').toString('base64url'),
    as: 'zip',
  })
  const answer = await fetch(`${ui.origin}/api/download?${String(query)}`, { headers })
  expect([answer.status, answer.headers.get('content-type')]).toEqual([404, 'application/json'])
})
