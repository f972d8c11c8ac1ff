import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { FaultProxy } from '@pipe-backup/sink/conformance'
import { execa } from 'execa'
import { afterAll, beforeAll, expect, type TestContext, test } from 'vitest'
import { makeOddTree } from './odd-tree.ts'
import { difference, Sandbox } from './sandbox.ts'
import { PLACES, type PlaceName, SixPlaces, SixServers } from './six-places.ts'

let servers: SixServers
beforeAll(async () => {
  servers = await SixServers.start()
})
afterAll(() => servers[Symbol.asyncDispose]())

/** A vault in six places, with an odd tree and so many MB that do not compress. */
async function setting(
  { onTestFinished }: TestContext,
  megabytes = 12,
): Promise<{
  sandbox: Sandbox
  places: SixPlaces
  tree: string
  configure: (sinks: object[], more?: object) => void
}> {
  const sandbox = new Sandbox()
  onTestFinished(() => sandbox[Symbol.dispose]())
  const tree = sandbox.path('tree')
  mkdirSync(tree)
  makeOddTree(tree)
  await execa('dd', ['if=/dev/urandom', `of=${tree}/random`, 'bs=1M', `count=${megabytes}`])
  const places = new SixPlaces(servers, sandbox)
  const configure = (sinks: object[], more: object = {}) =>
    sandbox.configure({ sources: [{ type: 'files', name: 'tree', paths: [tree] }], sinks, ...more })
  configure(places.configs())
  await sandbox.ok(['init', '--phrase-out', 'phrase'])
  return { sandbox, places, tree, configure }
}

interface Report {
  readonly copies: number
  readonly exitCode: number
  readonly sinks: readonly {
    readonly name: string
    readonly state: string
    readonly bytesSent: number
    readonly healed: number
    readonly error?: string
  }[]
}
/** @param ran - a command that was asked for JSON, or what it printed */
function reportOf(ran: Buffer | { readonly out: Buffer; readonly err: string }): Report {
  const { out, err } = 'out' in ran ? ran : { out: ran, err: '' }
  const last = out.toString().trim().split('\n').at(-1) ?? ''
  if (last === '') throw new Error(`nothing was printed: ${err}`)
  return JSON.parse(last) as Report
}

async function restores(sandbox: Sandbox, tree: string, to: string, args: string[] = []): Promise<string> {
  await sandbox.ok(['restore', 'latest', '--phrase-file', 'phrase', '--to', to, ...args], {
    machine: 'elsewhere',
  })
  return await difference(tree, sandbox.path(to, 'tree', tree))
}

/** Where nothing answers. */
const DOWN: Record<PlaceName, object> = {
  disk: { path: '/nonexistent/disk' },
  aws: { endpoint: 'http://127.0.0.1:9' },
  cloud: { server: 'http://127.0.0.1:9' },
  box: { apiUrl: 'http://127.0.0.1:9', contentUrl: 'http://127.0.0.1:9' },
  ssh: { port: 9 },
  rs: { target: 'rsync://nobody@127.0.0.1:9/nothing' },
}

// The work is done by programs of their own: two tests go on while one of them waits.
test.concurrent('one pass into six places: each of them alone gives everything back', async (context) => {
  const { sandbox, tree } = await setting(context)
  const report = reportOf(await sandbox.ok(['run', '--json']))
  expect(report).toMatchObject({ copies: 6, exitCode: 0 })
  const sent = report.sinks.map(({ bytesSent }) => bytesSent)
  expect(Math.max(...sent) - Math.min(...sent)).toBeLessThan(1000)
  for (const place of PLACES)
    expect(await restores(sandbox, tree, `from-${place}`, ['--from', place])).toBe('')
  // Every object proven, by the providers' own hashes or by reading them back.
  await sandbox.ok(['verify'])
  const status = JSON.parse((await sandbox.ok(['status', '--json'])).toString())
  expect(status).toMatchObject({ exitCode: 0, lastGood: { sinks: PLACES } })
  const { checks } = JSON.parse((await sandbox.run(['doctor', '--json'])).out.toString())
  for (const place of PLACES)
    expect(checks).toContainEqual({
      subject: `sink ${place}`,
      state: 'ok',
      message: expect.stringMatching(/^a probe was written, read back, listed and deleted in /),
    })
}, 900_000)

test.concurrent('one archive streamed into six places: received from each alone, healed, and pruned', async (context) => {
  const { sandbox, tree, places, configure } = await setting(context, 20)
  const sent = JSON.parse((await sandbox.ok(['send', '--json'])).toString())
  expect(sent).toMatchObject({ copies: 6, exitCode: 0 })
  const phrase = ['--phrase-file', 'phrase']
  for (const place of PLACES) {
    writeFileSync(
      sandbox.path('all.tar'),
      await sandbox.ok(['receive', 'latest', ...phrase, '--from', place]),
    )
    const to = sandbox.path(`from-${place}`)
    mkdirSync(to)
    await execa('tar', ['-xpf', sandbox.path('all.tar'), '-C', to])
    expect(await difference(tree, join(to, 'tree', tree))).toBe('')
  }
  await sandbox.ok(['verify'])
  configure(places.configs({ aws: DOWN.aws, cloud: DOWN.cloud }), { copies: 4 })
  const fewer = JSON.parse(
    (await sandbox.run(['send', '--stdin', 'notes', '--json'], { input: 'notes' })).out.toString(),
  )
  expect(fewer).toMatchObject({ copies: 4, exitCode: 3 })
  configure(places.configs())
  await sandbox.ok(['heal'])
  await sandbox.ok(['verify', '--deep', ...phrase])
  configure(places.configs(), { keep: { last: 1 } })
  await sandbox.ok(['send', '--stdin', 'notes'], { input: 'newer' })
  await sandbox.ok(['prune', '--force'])
  const listed = (await sandbox.ok(['archives', '--json'])).toString().trim().split('\n')
  expect(listed.map((line) => JSON.parse(line))).toMatchObject([
    { name: 'sandbox', sinks: PLACES },
    { name: 'notes', sinks: PLACES },
  ])
}, 900_000)

test.concurrent.for<[PlaceName, PlaceName, PlaceName]>([
  ['disk', 'ssh', 'aws'],
  ['aws', 'box', 'rs'],
  ['cloud', 'rs', 'box'],
  ['ssh', 'disk', 'cloud'],
])(
  'with %s and %s down and %s serving corrupt bytes everything comes back, and is repaired',
  { timeout: 900_000 },
  async ([one, other, rotten], context) => {
    const { sandbox, places, tree, configure } = await setting(context)
    await sandbox.ok(['run'])
    await places.rot(rotten)
    // They stay down, however often they are asked.
    const down = { [one]: { ...DOWN[one], retries: 1 }, [other]: { ...DOWN[other], retries: 1 } }
    // The rotten one is asked first.
    const order = (sinks: object[]) =>
      sinks.toSorted(
        (a, b) => Number('name' in b && b.name === rotten) - Number('name' in a && a.name === rotten),
      )
    configure(order(places.configs(down)))
    expect(await restores(sandbox, tree, 'restored')).toBe('')
    configure(places.configs())
    expect((await sandbox.run(['verify'])).code).toBe(1)
    await sandbox.ok(['heal'])
    expect(await restores(sandbox, tree, 'repaired', ['--from', rotten])).toBe('')
  },
)

test('one dead from the start, one cut off for seconds, one throttled, one slow: the others are not held up, and the next run heals', async (context) => {
  const { sandbox, places, tree, configure } = await setting(context, 40)
  await using proxy = await FaultProxy.start(servers.s3)
  servers.dropbox.fail({ type: 'rate-limit', reason: 'too_many_requests', seconds: 1 }, { times: 3 })
  proxy.fault = { type: 'cut', direction: 'up', afterBytes: 3_000_000 }
  const repaired = setTimeout(() => {
    proxy.fault = { type: 'none' }
    proxy.drop()
  }, 3000)
  configure(
    places.configs({
      // The waits are of random length: enough of them are longer than the cut, in any case.
      aws: { endpoint: `http://127.0.0.1:${proxy.port}`, retries: 10 },
      ssh: DOWN.ssh,
      disk: { uploadLimit: '12MB' },
    }),
    { copies: 5 },
  )
  const ran = await sandbox.run(['run', '--json'])
  clearTimeout(repaired)
  const report = reportOf(ran)
  expect({
    code: ran.code,
    copies: report.copies,
    failed: report.sinks.filter(({ state }) => state !== 'ok').map(({ name }) => name),
  }).toEqual({
    code: 3,
    copies: 5,
    failed: ['ssh'],
  })
  expect(ran.err).toContain('sink "ssh"')
  configure(places.configs())
  const healed = reportOf(await sandbox.ok(['run', '--json']))
  expect(healed.copies).toBe(6)
  expect(healed.sinks.find(({ name }) => name === 'ssh')?.healed).toBeGreaterThan(0)
  expect(await restores(sandbox, tree, 'restored', ['--from', 'ssh'])).toBe('')
}, 900_000)

test.concurrent('a place that is silent in mid-run is left behind after its timeout, and healed by the next run', async (context) => {
  const { sandbox, places, tree, configure } = await setting(context)
  await using proxy = await FaultProxy.start(servers.nextcloud)
  const { url } = servers.nextcloud
  configure(places.configs({ cloud: { server: url.replace(/:\d+/, `:${proxy.port}`), timeout: '2s' } }), {
    copies: 5,
  })
  // Less than the smallest of the packs may be, however the bytes are spread over them.
  proxy.fault = { type: 'stall', afterBytes: 1_000_000 }
  const ran = await sandbox.run(['run', '--json'])
  expect(reportOf(ran)).toMatchObject({ copies: 5, exitCode: 3 })
  expect(ran.err).toContain('sink "cloud"')
  configure(places.configs())
  expect(reportOf(await sandbox.ok(['run', '--json'])).copies).toBe(6)
  expect(await restores(sandbox, tree, 'restored', ['--from', 'cloud'])).toBe('')
}, 900_000)

test.concurrent('wrong credentials: one clear line each, which names the sink and what to do, and no stack', async (context) => {
  const { sandbox, places, configure } = await setting(context, 1)
  await sandbox.ok(['run'])
  const wrong: Partial<Record<PlaceName, object>> = {
    aws: { secretAccessKey: 'wrong' },
    cloud: { password: 'wrong' },
    box: { refreshToken: 'wrong' },
    ssh: { identity: servers.ssh.strangeIdentity },
    rs: { password: 'wrong' },
  }
  configure(places.configs(wrong), { copies: 1 })
  const { code, err } = await sandbox.run(['run'])
  expect(code).toBe(3)
  for (const place of Object.keys(wrong)) {
    const lines = err.split('\n').filter((line) => line.includes(`sink "${place}"`))
    expect({ place, lines: lines.length, hint: /[.:] [A-Z].+\.?$/.test(lines[0] ?? '') }).toEqual({
      place,
      lines: 1,
      hint: true,
    })
  }
  expect(err).not.toMatch(/^\s+at /m)
  expect(err).not.toContain('"wrong"')
}, 900_000)
