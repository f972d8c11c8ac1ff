import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import axe from 'axe-core'
import { type Browser, chromium } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Sandbox } from './sandbox.ts'

let sandbox: Sandbox
let browser: Browser
let file: string
beforeAll(async () => {
  sandbox = new Sandbox()
  mkdirSync(sandbox.path('tree'))
  mkdirSync(sandbox.path('web'))
  writeFileSync(sandbox.path('tree/file'), 'content')
  file = sandbox.path('web/status.html')
  sandbox.configure({
    host: '<script>alert("host")</script>',
    sources: [
      { type: 'files', name: 'tree', paths: ['tree'] },
      {
        type: 'command',
        name: 'list',
        run: ['sh', '-c', 'echo "<img src=x>&" >&2; exit 1'],
        path: 'list.txt',
      },
    ],
    sinks: sandbox.sinks('disk', 'usb'),
    schedule: '0 * * * *',
  })
  await sandbox.ok(['init', '--phrase-out', 'phrase'])
  // Its second source fails.
  await sandbox.run(['run'])
  browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-background-networking'],
  })
})
afterAll(async () => {
  await browser.close()
  sandbox[Symbol.dispose]()
})

test('status --html writes one file that only its owner reads, beside what it prints, and replaces it', async () => {
  writeFileSync(file, 'old')
  chmodSync(file, 0o644)
  const plain = await sandbox.run(['status'])
  const { code, out } = await sandbox.run(['status', '--html', 'web/status.html'])
  expect([code, out.toString().split('\n')[0]]).toEqual([plain.code, plain.out.toString().split('\n')[0]])
  expect(statSync(file).mode & 0o777).toBe(0o600)
  expect(readdirSync(sandbox.path('web'))).toEqual(['status.html'])
  const text = readFileSync(file, 'utf8')
  expect(text).toMatch(/^<!doctype html>/)
  expect(text).toContain('&lt;script&gt;alert(&quot;host&quot;)&lt;/script&gt;')
  expect(text).not.toMatch(/<script|<img|<link|<iframe|https?:|url\(|@import/)
  for (const [tag] of text.matchAll(/<[^>]*>/g)) expect(tag).not.toMatch(/\s(src|href|style|on\w+)=/)
  expect(text).toMatch(/<title>sandbox: something needs a look<\/title>|<title>sandbox: the newest snapshot/)
  expect(text).toContain('<svg class="plot"')
})

test('where it can not be written is one line, and the old file stays', async () => {
  const before = readFileSync(file, 'utf8')
  execFileSync('mkfifo', [sandbox.path('pipe')])
  const usage = [
    ['web', 'this is a directory'],
    ['pipe', 'this is a device or a pipe, and it would be replaced'],
    ['nowhere/status.html', 'there is no directory'],
  ] as const
  for (const [path, message] of usage) {
    const { code, err } = await sandbox.run(['status', '--html', path])
    expect([code, err]).toEqual([2, expect.stringContaining(message)])
    expect(err).not.toContain('    at ')
  }
  // A directory that lets nobody write, root neither: that of a running process.
  const { code, err } = await sandbox.run(['status', '--html', '/proc/self/status.html'])
  expect([code, err]).toEqual([1, expect.stringContaining('/proc/self/status.html could not be written: ')])
  expect(err.trim().split('\n')).toHaveLength(1)
  expect(readFileSync(file, 'utf8')).toBe(before)
})

test('--json gives the same history as the page has', async () => {
  const { out } = await sandbox.run(['status', '--json'])
  const { history, sinks } = JSON.parse(out.toString())
  expect(history).toMatchObject([{ name: 'disk' }, { name: 'usb' }])
  for (const [i, { sizes, lags }] of history.entries()) {
    expect(sizes.at(-1).bytes).toBe(sinks[i].bytes)
    expect(lags.at(-1).lagMs).toBe(0)
  }
  expect(sinks[0]).not.toHaveProperty('growth')
})

test.for([
  ['light', 1280],
  ['dark', 920],
  ['light', 390],
] as const)(
  '%s, at %i pixels, it is accessible, asks for nothing, and is no wider',
  async ([colorScheme, width]) => {
    await using context = await browser.newContext({ colorScheme, viewport: { width, height: 800 } })
    const page = await context.newPage()
    const complaints: string[] = []
    const address = pathToFileURL(file).href
    page.on('console', (message) => complaints.push(message.text()))
    page.on('request', (request) => {
      if (request.url() !== address) complaints.push(request.url())
    })
    await page.goto(address)
    for (const summary of await page.locator('summary').all()) await summary.click()
    const sinks = page.getByRole('table', { name: 'Sinks' })
    expect(await sinks.getByRole('row').nth(1).textContent()).toMatch(/disk.*✓ ok/)
    expect(await page.getByRole('img', { name: /^Size of each sink\. disk: / }).count()).toBe(1)
    expect(await page.getByText('<img src=x>&').first().isVisible()).toBe(true)
    const session = await context.newCDPSession(page)
    const expression = `${axe.source}; axe.run().then(({ violations }) => violations.map(({ id, nodes }) => id + ': ' + nodes.map(({ html }) => html).slice(0, 3).join(' ')))`
    const { result } = await session.send('Runtime.evaluate', {
      expression,
      awaitPromise: true,
      returnByValue: true,
    })
    expect(result.value).toEqual([])
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width)
    expect(complaints).toEqual([])
  },
)
