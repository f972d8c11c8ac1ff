import { readFileSync, writeFileSync } from 'node:fs'
import { execa } from 'execa'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Mounted } from './mounted.ts'
import { makeOddTree } from './odd-tree.ts'
import { Sandbox } from './sandbox.ts'

const sandbox = new Sandbox()
const tree = sandbox.path('tree')
const below = `latest/tree${tree}`
let mounted: Mounted

beforeAll(async () => {
  makeOddTree(tree)
  writeFileSync(`${tree}/a#b?c%25&<d>"e' f`, 'every character that means something')
  writeFileSync(`${tree}/numbers`, '0123456789')
  const sources = [{ type: 'files', name: 'tree', paths: [tree] }]
  sandbox.configure({ sources, sinks: sandbox.sinks('one', 'two') })
  await sandbox.ok(['init', '--phrase-out', sandbox.path('phrase')])
  await sandbox.ok(['run'])
  mounted = await Mounted.start(sandbox)
})
afterAll(async () => {
  await mounted[Symbol.asyncDispose]()
  sandbox[Symbol.dispose]()
})

const hrefsOf = async (path: string): Promise<string[]> => {
  const { body } = await mounted.curl(path, '-X', 'PROPFIND', '-H', 'Depth: 1')
  return [...body.toString().matchAll(/<D:href>(.*?)<\/D:href>/g)].map(([, href]) => href ?? '').slice(1)
}

test('rclone copies and checks the whole tree: what comes is what was there, links as links', async () => {
  const copy = sandbox.path('copy')
  const from = `backup:${below}`
  const copied = await mounted.rclone('copy', '--links', '--create-empty-src-dirs', from, copy)
  expect(copied).toMatchObject({ exitCode: 0 })
  const args = ['-rltOnci', '--delete', '--modify-window=1', '--exclude=/fifo', '--exclude=/device']
  expect((await execa('rsync', [...args, `${tree}/`, `${copy}/`])).stdout).toBe('')
  // Of a name with a line feed rclone's check looks for another one on each side.
  const checked = await mounted.rclone('check', '--download', `${from}/d/deep`, `${copy}/d/deep`)
  expect(checked).toMatchObject({ exitCode: 0, said: expect.stringContaining('0 differences') })
})

test('each snapshot is below its time and its id, and a new one shows up', async () => {
  expect(await hrefsOf('')).toEqual(['/latest/', '/by-time/', '/by-id/'])
  const [before] = await hrefsOf('by-id')
  writeFileSync(`${tree}/numbers`, '012345678x')
  await sandbox.ok(['run'])
  // A list that is no older than a second is shown again.
  await expect.poll(() => hrefsOf('by-id')).toHaveLength(2)
  const ids = await hrefsOf('by-id')
  expect(ids[0]).toBe(before)
  const times = await hrefsOf('by-time/')
  expect(times).toHaveLength(2)
  for (const time of times)
    expect(time).toMatch(/^\/by-time\/\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ(-[0-9a-f]{16})?\/$/)
  for (const [list, i, digit] of [
    [ids, 0, '9'],
    [times, 0, '9'],
    [ids, 1, 'x'],
    [times, 1, 'x'],
  ] as const) {
    const { body } = await mounted.curl(`${list[i]?.slice(1)}tree${tree}/numbers`)
    expect(body.toString()).toBe(`012345678${digit}`)
  }
})

test('names that mean something in URLs and XML, and names that are no UTF-8, are reached as they are listed', async () => {
  const hrefs = await hrefsOf(below)
  const original = Buffer.from(tree)
  for (const name of ['a#b?c%25&<d>"e\' f', 'new\nline "quoted" \\ é 🦊', 'latin-\xe9\xff']) {
    const bytes = name.startsWith('latin') ? Buffer.from(name, 'latin1') : Buffer.from(name)
    const escaped = [...bytes].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')
    const href = hrefs.find((one) => decode(one).equals(Buffer.concat([Buffer.from(`/${below}/`), bytes])))
    for (const path of [href?.slice(1) ?? 'not listed', `${below}/${escaped}`]) {
      const { status, body } = await mounted.curl(path)
      const expected = readFileSync(Buffer.concat([original, Buffer.from('/'), bytes]))
      expect([name, status, body]).toEqual([name, 200, expected])
    }
  }
  for (const path of [`${below}/%2e%2e/tree`, `${below}/a%2fb`, `${below}/%00`, `${below}/%zz`])
    expect([path, (await mounted.curl(path)).status]).toEqual([path, 400])
})

test('what is listed is well-formed, with types, sizes, dates and tags; a symbolic link is the text of its target', async () => {
  const { body, status } = await mounted.curl(below, '-X', 'PROPFIND', '-H', 'Depth: 1')
  expect(status).toBe(207)
  const read = 'import sys,xml.dom.minidom as m; m.parseString(sys.stdin.buffer.read())'
  await execa('python3', ['-c', read], { input: body })
  const small = new RegExp(`/small</D:href>.*`).exec(body.toString())?.[0] ?? ''
  expect(small).toContain('<D:getlastmodified>Fri, 13 Feb 2009 23:31:30 GMT</D:getlastmodified>')
  expect(small).toContain('<D:resourcetype/><D:getcontentlength>5</D:getcontentlength>')
  const { headers } = await mounted.curl(`${below}/d/second-name`, '-I')
  const tag = /^ETag: (.*)$/m.exec(headers)?.[1]?.trim() ?? 'none'
  expect(small).toContain(`<D:getetag>${tag}</D:getetag>`)
  expect((await mounted.curl(`${below}/dangling.rclonelink`)).body.toString()).toBe('/no/such/place')
  for (const path of ['dangling', 'link', 'fifo', 'device', 'small.rclonelink', 'no', 'small/x'])
    expect([path, (await mounted.curl(`${below}/${path}`)).status]).toEqual([path, 404])
})

test('a list below a directory without end is refused', async () => {
  for (const depth of [[], ['-H', 'Depth: infinity']]) {
    const { status, body } = await mounted.curl('', '-X', 'PROPFIND', ...depth)
    expect([status, body.toString()]).toEqual([403, expect.stringContaining('propfind-finite-depth')])
  }
  const itself = await mounted.curl(below, '-X', 'PROPFIND', '-H', 'Depth: 0')
  expect([...itself.body.toString().matchAll(/<D:href>/g)]).toHaveLength(1)
})

const WHOLE = '"e0" of another'
test.for<[string, string[], number, string]>([
  ['a part', ['-r', '2-4'], 206, '234'],
  ['its end', ['-r', '-3'], 206, '789'],
  ['from a byte on', ['-r', '7-'], 206, '789'],
  ['more than there is', ['-r', '8-100'], 206, '89'],
  ['what is not there', ['-r', '10-'], 416, ''],
  ['nothing of its end', ['-H', 'Range: bytes=-0'], 416, ''],
  ['several parts', ['-r', '0-1,3-4'], 200, '0123456789'],
  ['another unit', ['-H', 'Range: lines=1-2'], 200, '0123456789'],
  ['a part of another file', ['-r', '2-4', '-H', `If-Range: ${WHOLE}`], 200, '0123456789'],
  ['its headers', ['-I'], 200, ''],
  ['what another has', ['-H', 'If-None-Match: "x"'], 200, '0123456789'],
  ['what it has', ['-H', 'If-None-Match: "x", *'], 304, ''],
  ['one that it is not', ['-H', 'If-Match: "x"'], 412, ''],
  ['one that is newer', ['-H', 'If-Modified-Since: Fri, 31 Dec 9999 23:59:59 GMT'], 304, ''],
])('a file is asked for %s', async ([, args, status, text]) => {
  const [first] = await hrefsOf('by-id')
  const path = `${first?.slice(1)}tree${tree}/numbers`
  const got = await mounted.curl(path, ...args)
  expect([got.status, got.body.toString()]).toEqual([status, text])
  if (status === 200) expect(got.headers).toContain('Content-Length: 10')
  const etag = /^ETag: (.*)\r$/m.exec((await mounted.curl(path, '-I')).headers)?.[1] ?? ''
  const known = await mounted.curl(path, '-H', `If-None-Match: ${etag}`)
  expect([known.status, known.body.length]).toEqual([304, 0])
})

test('nobody gets in without the password, nor by another name of this address, nor from another machine', async () => {
  for (const method of ['GET', 'HEAD', 'PROPFIND', 'OPTIONS', 'PUT']) {
    const refused = await mounted.curlWithout('', ...(method === 'HEAD' ? ['-I'] : ['-X', method]))
    expect([method, refused.status, refused.body.length]).toEqual([method, 401, 0])
  }
  expect((await mounted.curlWithout('', '-u', 'pipe-backup:wrong')).status).toBe(401)
  expect((await mounted.curl('', '-H', 'Host: rebound.example.com')).status).toBe(403)
  const port = Number(new URL(mounted.url).port).toString(16).toUpperCase().padStart(4, '0')
  const listening = ['tcp', 'tcp6'].flatMap((name) =>
    readFileSync(`/proc/net/${name}`, 'latin1')
      .split('\n')
      .filter((line) => line.includes(`:${port} `) && / 0A /.test(line)),
  )
  expect(listening).toEqual([expect.stringContaining(` 0100007F:${port} `)])
})

test('nothing can be written, and the answers say what can be done', async () => {
  for (const method of ['PUT', 'DELETE', 'MKCOL', 'MOVE', 'COPY', 'PROPPATCH', 'LOCK', 'POST', 'PATCH']) {
    const { status, headers } = await mounted.curl(`${below}/numbers`, '-X', method, '-d', 'x')
    expect([method, status, /^Allow: (.*)\r$/m.exec(headers)?.[1]]).toEqual([
      method,
      405,
      'OPTIONS, GET, HEAD, PROPFIND',
    ])
  }
  const { status, headers } = await mounted.curl('', '-X', 'OPTIONS')
  expect([status, headers]).toEqual([200, expect.stringMatching(/^DAV: 1\r$/m)])
})

test('a browser gets a page of links for a directory, and files of any kind as bytes alone', async () => {
  const page = await mounted.curl(`${below}/`)
  expect(page.headers).toContain("Content-Security-Policy: default-src 'none'")
  expect(page.body.toString()).toContain('&#60;d&#62;')
  const file = await mounted.curl(`${below}/numbers`)
  expect(file.headers).toContain('Content-Type: application/octet-stream')
  expect(file.headers).toContain('X-Content-Type-Options: nosniff')
})

test('a port that is taken, or none, is a mistake of usage in one line', async () => {
  const { port } = new URL(mounted.url)
  for (const [given, message] of [
    [port, `port ${port} of 127.0.0.1 is in use`],
    ['70000', 'It must be a number up to 65535'],
  ] as const) {
    const { code, err } = await sandbox.run([
      'mount',
      '--port',
      given,
      '--phrase-file',
      sandbox.path('phrase'),
    ])
    expect([code, err]).toEqual([2, expect.stringContaining(message)])
  }
})

test('Ctrl-C ends it, also while somebody reads', async () => {
  await using other = await Mounted.start(sandbox)
  const reading = other.curl(`${below}/sparse`, '--limit-rate', '1M')
  await expect.poll(async () => (await other.curl('')).status).toBe(200)
  expect(await other.stop()).toMatchObject({ exitCode: 0, stderr: expect.stringContaining('stopping') })
  expect((await reading).exitCode).not.toBe(0)
})

function decode(href: string): Buffer {
  const bytes = href.replaceAll(/%(..)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  return Buffer.from(bytes, 'latin1')
}
