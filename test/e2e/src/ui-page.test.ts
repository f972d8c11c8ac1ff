import { readFileSync } from 'node:fs'
import axe from 'axe-core'
import { execa } from 'execa'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { difference, type Sandbox } from './sandbox.ts'
import { makeUiVault, phraseOf, startUi, type UiServer } from './ui-server.ts'

const VIEWS = [
  'overview',
  'snapshots',
  'browse',
  'differences',
  'restore',
  'actions',
  'retention',
  'configuration',
]

let sandbox: Sandbox
let ui: UiServer
let browser: Browser
let page: Page
/** What the browser complained of, and what it asked for elsewhere. */
const complaints: string[] = []
beforeAll(async () => {
  sandbox = await makeUiVault()
  ui = await startUi(sandbox)
  browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-background-networking'],
  })
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } })
  page = await context.newPage()
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.on('console', (message) => {
    // That the phrase is needed, or wrong, or a directory of no use, is an answer as any other.
    if (message.type() === 'error' && !/status of (400|42[23])/.test(message.text()))
      complaints.push(message.text())
  })
  page.on('request', (request) => {
    if (!request.url().startsWith(`${ui.origin}/`)) complaints.push(request.url())
  })
  await page.goto(ui.address)
})
afterAll(async () => {
  await browser.close()
  await ui[Symbol.asyncDispose]()
  sandbox[Symbol.dispose]()
})

async function open(view: string): Promise<void> {
  await page.goto(`${ui.origin}/#/${view}`)
}

/** Rules of accessibility that the page breaks. Evaluated by the browser's debugger: the page's policy lets no script in. */
async function broken(): Promise<unknown> {
  const session = await page.context().newCDPSession(page)
  const expression = `${axe.source}; axe.run().then(({ violations }) => violations.map(({ id, nodes }) => id + ': ' + nodes.map(({ html }) => html).slice(0, 3).join(' ')))`
  const { result } = await session.send('Runtime.evaluate', {
    expression,
    awaitPromise: true,
    returnByValue: true,
  })
  await session.detach()
  return result.value
}

/** What a click downloads. */
async function downloaded(click: () => Promise<void>): Promise<{ name: string; path: string }> {
  const [download] = await Promise.all([page.waitForEvent('download'), click()])
  return { name: download.suggestedFilename(), path: await download.path() }
}

test('the overview shows how the vault stands, and the token is gone from the address', async () => {
  await page.getByText('All is well').waitFor()
  expect(page.url()).toBe(`${ui.origin}/`)
  const sinks = page.getByRole('table', { name: 'Sinks' })
  expect(await sinks.getByRole('row').allTextContents()).toEqual([
    expect.stringContaining('Newest snapshot'),
    expect.stringMatching(/^disk✓ ok.*none2/),
    expect.stringMatching(/^usb✓ ok.*none2/),
  ])
  expect(await page.getByRole('table', { name: 'Sources' }).textContent()).toContain('tree')
})

test('sizes and lags of the sinks are plotted, and are in tables', async () => {
  const size = page.getByRole('img', { name: /^Size of each sink\. disk since .*more than then\. usb/ })
  await size.locator('canvas').waitFor()
  expect(
    await page.getByRole('img', { name: /^Lag of each sink\. disk .*: none, at most none/ }).count(),
  ).toBe(1)
  // Something was drawn: the line that is on top, in its colour.
  const isDrawn = `(() => {
    const canvas = document.querySelector('.plot canvas')
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)
    for (let at = 0; at < data.length; at += 4)
      if (data[at] === 0xa6 && data[at + 1] === 0x4b && data[at + 2] === 0 && data[at + 3] === 255) return true
    return false
  })()`
  expect(await page.evaluate(isDrawn)).toBe(true)
  await page.getByText('As a table: Size of each sink').click()
  const table = page.getByRole('table', { name: 'Size of each sink, day by day' })
  expect(await table.getByRole('row').nth(1).textContent()).toMatch(/^\d{4}-\d\d-\d\d\d\.\d MiB\d\.\d MiB$/)
})

test('the snapshots are in a list and in calendars, by keyboard too', async () => {
  await open('snapshots')
  const rows = page.getByRole('table', { name: 'Snapshots, newest first' }).getByRole('row')
  await rows.nth(2).waitFor()
  expect(await rows.count()).toBe(3)
  expect(await rows.nth(1).textContent()).toMatch(/#before the movebot-1treewordsdiskusb/)
  await page.getByRole('button', { name: 'only those tagged before the move' }).click()
  await page.getByText('1 snapshot tagged before the move', { exact: true }).waitFor()
  expect(await rows.count()).toBe(2)
  await page.getByRole('button', { name: 'Show all' }).click()
  expect(await rows.count()).toBe(3)
  await sandbox.ok(['pin', 'latest'])
  await page.reload()
  await rows.getByText('pinned', { exact: true }).waitFor()
  await sandbox.ok(['unpin', 'latest'])
  const hours = page.getByRole('grid', { name: /seven days/ })
  const last = hours.locator('td[tabindex="0"]')
  expect(await last.getAttribute('aria-label')).toMatch(/: [12] snapshots?, on disk, usb$/)
  await last.focus()
  await page.keyboard.press('Enter')
  await page.getByRole('button', { name: 'Show all' }).waitFor()
  await page.keyboard.press('ArrowLeft')
  expect(await page.locator(':focus').getAttribute('aria-label')).toMatch(/\d\d:00: /)
})

test('files need the phrase: a wrong one is said, the right one opens them', async () => {
  await open('browse')
  const field = page.getByLabel(/Recovery phrase/)
  await field.fill('abandon '.repeat(24))
  await page.getByRole('button', { name: 'Open the vault' }).click()
  await page.getByRole('alert').waitFor()
  await field.fill(phraseOf(sandbox))
  await field.press('Enter')
  await page.getByRole('link', { name: 'words/' }).waitFor()
  await page.getByText(/Vault open until/).waitFor()
  expect(await field.count()).toBe(0)
})

async function walkTo(...names: readonly string[]): Promise<void> {
  await open('browse')
  for (const name of ['tree', ...sandbox.path('tree').split('/').filter(Boolean), ...names])
    await page.locator('.list .name a', { hasText: new RegExp(`^${name}/$`) }).click()
}

test('a directory is walked into, a file and a directory are downloaded as they were', async () => {
  await walkTo('docs')
  await page.getByRole('link', { name: 'wallet.json', exact: true }).waitFor()
  const quoted = await downloaded(() => page.getByRole('link', { name: 'a "b" é.txt', exact: true }).click())
  expect(readFileSync(quoted.path, 'utf8')).toBe('quoted')
  expect(quoted.name).toMatch(/^a .b. é\.txt$/)
  const latin = await downloaded(() => page.getByRole('link', { name: 'latin-\\xe9', exact: true }).click())
  expect(readFileSync(latin.path, 'utf8')).toBe('no UTF-8')
  const tar = await downloaded(() => page.getByRole('link', { name: 'tar of deep' }).click())
  expect(tar.name).toMatch(/^deep-[0-9a-f]{8}\.tar$/)
  const { stdout } = await execa('tar', ['-tf', tar.path])
  expect(stdout).toContain('docs/deep/large.bin')
  const zip = await downloaded(() => page.getByRole('link', { name: 'zip of deep' }).click())
  expect(zip.name).toMatch(/^deep-[0-9a-f]{8}\.zip$/)
  expect((await execa('unzip', ['-tq', zip.path])).stdout).toContain('No errors')
})

test('a long directory is drawn in part, read as one scrolls, and jumped into', async () => {
  await walkTo('many')
  await page.getByText('500 entries so far').waitFor()
  expect(await page.locator('.list .rows [role=row]').count()).toBeLessThan(60)
  await page.locator('.list').evaluate((list) => list.scrollTo(0, list.scrollHeight))
  await page.getByText('1,000 entries so far').waitFor()
  await page.getByLabel('Go to names from').fill('file-011')
  await page.getByRole('link', { name: 'file-01100.txt', exact: true }).waitFor()
  await page.getByText('100 entries', { exact: true }).waitFor()
  await page.locator('.list .name a').first().focus()
  await page.keyboard.press('End')
  await page.locator(':focus', { hasText: 'file-01199.txt' }).waitFor()
  await page.keyboard.press('Backspace')
  await page.locator('.list :focus', { hasText: 'docs/' }).waitFor()
  await page.keyboard.press('ArrowDown')
  await page.locator('.list :focus', { hasText: 'many/' }).waitFor()
  await page.keyboard.press('Enter')
  await page.locator('.list :focus', { hasText: 'file-00000.txt' }).waitFor()
})

test('what matches a pattern is found, in all snapshots each state of it', async () => {
  await open('browse')
  await page.getByRole('searchbox').fill('wallet.json')
  await page.keyboard.press('Enter')
  await page.getByText('1 match in 1 snapshot').waitFor()
  await page.getByLabel('In all snapshots').check()
  await page.getByText('2 matches in 2 snapshots').waitFor()
  const sizes = page.getByRole('grid', { name: 'Matches' }).locator('.rows .number')
  expect(await sizes.allTextContents()).toEqual(['5 B', '14 B'])
})

test('two snapshots are compared', async () => {
  await open('differences')
  await page.getByRole('button', { name: '1 added' }).waitFor()
  const rows = page.getByRole('grid', { name: 'Differences' }).getByRole('row')
  expect(await rows.allTextContents()).toEqual(
    expect.arrayContaining([
      expect.stringMatching(/^\+ added.*docs\/new\.txt/),
      expect.stringMatching(/^~ changed.*docs\/wallet\.json.*5 B14 B.*content/),
    ]),
  )
  await page.getByRole('button', { name: '1 added' }).click()
  expect(await rows.count()).toBe(2)
})

test('a run is started from the page, followed to its end, and its snapshot is there', async () => {
  await open('actions')
  await page.getByRole('button', { name: 'Back up now' }).click()
  await page.getByText('Back up: done').waitFor()
  expect(await page.getByRole('table', { name: 'Sources of this run' }).textContent()).toContain('tree')
  await page.getByRole('button', { name: 'Verify now' }).click()
  await page.getByText('Verify: done').waitFor()
  await open('snapshots')
  await page.getByText('3 snapshots', { exact: true }).waitFor()
})

test('a directory is restored where nothing is yet, and nothing is overwritten', async () => {
  await walkTo('docs')
  await page.getByRole('link', { name: 'Restore this directory…' }).click()
  await page.getByText(/\/docs and all below it/).waitFor()
  const field = page.getByLabel(/Directory on bot-1/)
  const to = sandbox.path('restored/new')
  await field.fill('restored')
  await field.press('Enter')
  await page.getByRole('alert').filter({ hasText: 'no directory from the root on' }).waitFor()
  await field.fill(sandbox.path('tree'))
  await page.getByRole('button', { name: 'Restore', exact: true }).click()
  await page.getByRole('alert').filter({ hasText: 'is not empty' }).waitFor()
  await field.fill(to)
  await page.getByRole('button', { name: 'Restore', exact: true }).click()
  await page.getByText('Restore: done').waitFor()
  expect(await page.getByLabel('The last action').textContent()).toContain(`restored to ${to}`)
  expect(await difference(sandbox.path('tree/docs'), `${to}/tree${sandbox.path('tree')}/docs`)).toBe('')
  expect(await page.getByRole('alert').count()).toBe(0)
  await page.getByRole('button', { name: 'Restore', exact: true }).click()
  await page.getByRole('alert').filter({ hasText: 'is not empty' }).waitFor()
})

test('a drill is started from the page, and the overview knows of it', async () => {
  await open('restore')
  await page.getByRole('button', { name: 'Start a drill' }).click()
  await page.getByText('Restore drill: done').waitFor()
  expect(await page.getByLabel('The last action').textContent()).toMatch(
    /of snapshot [0-9a-f]{16} read back and checked\./,
  )
  await open('overview')
  await page
    .locator('.facts div', { hasText: 'Last restore drill' })
    .getByText(/ago|just now/)
    .waitFor()
})

test('what a prune would remove is shown, and nothing is removed', async () => {
  await open('retention')
  await page.getByText('1 snapshot would stay, 2 would go.').waitFor()
  expect((await sandbox.ok(['snapshots', '--json'])).toString().trim().split('\n')).toHaveLength(3)
})

test.for([
  ['light', 1280],
  ['dark', 920],
  ['light', 360],
] as const)(
  '%s, at %i pixels, every view is accessible and no wider than the window',
  async ([colorScheme, width]) => {
    await page.emulateMedia({ colorScheme })
    await page.setViewportSize({ width, height: 800 })
    for (const view of VIEWS) {
      await open(view)
      await page.locator('main :is(table, .list, .cards, .settings)').first().waitFor()
      expect(await broken(), view).toEqual([])
      expect(await page.evaluate('document.documentElement.scrollWidth'), view).toBeLessThanOrEqual(width)
    }
  },
)

test('what was opened is forgotten on demand, and no longer shown', async () => {
  await open('browse')
  await page.getByRole('link', { name: 'words/' }).waitFor()
  await page.getByRole('button', { name: 'Forget now' }).click()
  await page.getByLabel(/Recovery phrase/).waitFor()
  expect(await page.getByRole('link', { name: 'words/' }).count()).toBe(0)
})

test('the browser had nothing to complain of, and asked nobody else', () => {
  expect(complaints).toEqual([])
})
