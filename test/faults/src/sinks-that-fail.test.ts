import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { difference, Sandbox } from '@pipe-backup-test/e2e'
import { execa } from 'execa'
import { expect, test } from 'vitest'

async function prepared(sandbox: Sandbox, more: object = {}): Promise<string> {
  const tree = sandbox.path('tree')
  mkdirSync(tree)
  for (let i = 0; i < 40; i++)
    writeFileSync(`${tree}/f${i}`, Buffer.alloc(1_000_000, `content ${i} ${'x'.repeat(i)}`))
  await execa('dd', ['if=/dev/urandom', `of=${tree}/random`, 'bs=1M', 'count=60'])
  sandbox.configure({
    sources: [{ type: 'files', name: 'tree', paths: ['tree'] }],
    sinks: sandbox.sinks('one', 'two', 'three'),
    ...more,
  })
  return tree
}
const last = (out: Buffer) => JSON.parse(out.toString().trim().split('\n').at(-1) ?? '')
const stateOf = (report: { sinks: { name: string; state: string }[] }, name: string) =>
  report.sinks.find((sink) => sink.name === name)?.state

test.for([
  [2, 3],
  [3, 1],
])(
  'a disk that fills up in mid-run stops no other; with copies: %i the exit code is %i',
  async ([copies, code]) => {
    using sandbox = new Sandbox()
    const tree = await prepared(sandbox, { copies })
    mkdirSync(sandbox.path('sinks/two'), { recursive: true })
    await execa('mount', ['-t', 'tmpfs', '-o', 'size=20m', 'tmpfs', sandbox.path('sinks/two')])
    try {
      await sandbox.ok(['init', '--phrase-out', 'phrase'])
      const ran = await sandbox.run(['run', '--json'])
      expect(ran.code).toBe(code)
      const report = last(ran.out)
      expect(report.copies).toBe(2)
      expect([stateOf(report, 'one'), stateOf(report, 'two'), stateOf(report, 'three')]).toEqual([
        'ok',
        'failed',
        'ok',
      ])
      expect(ran.err).toContain('the disk is full')
      expect(existsSync(sandbox.path('sinks/two/snapshots'))).toBe(false)
    } finally {
      await execa('umount', [sandbox.path('sinks/two')])
    }
    for (const sink of ['one', 'three']) {
      await sandbox.ok([
        'restore',
        'latest',
        '--from',
        sink,
        '--phrase-file',
        'phrase',
        '--to',
        `from-${sink}`,
      ])
      expect(await difference(tree, sandbox.path(`from-${sink}/tree`, tree))).toBe('')
    }
  },
)

test('a sink that was away is healed by the next run, through memory', async () => {
  using sandbox = new Sandbox()
  const tree = await prepared(sandbox, { copies: 2 })
  await sandbox.ok(['init', '--phrase-out', 'phrase'])
  renameSync(sandbox.path('sinks/three'), sandbox.path('away'))
  const without = await sandbox.run(['run', '--json'])
  expect(without.code).toBe(3)
  expect(without.err).toContain('Is the disk mounted?')
  expect(existsSync(sandbox.path('sinks/three'))).toBe(false)
  renameSync(sandbox.path('away'), sandbox.path('sinks/three'))
  const healed = last((await sandbox.run(['run', '--json'])).out)
  expect(healed).toMatchObject({ exitCode: 0, copies: 3 })
  expect(healed.sinks[2].healed).toBeGreaterThan(2)
  await sandbox.ok(['restore', 'latest', '--from', 'three', '--phrase-file', 'phrase', '--to', 'back'])
  expect(await difference(tree, sandbox.path('back/tree', tree))).toBe('')
})

test('damaged and missing packs on one sink are read from another, and named', async () => {
  using sandbox = new Sandbox()
  const tree = await prepared(sandbox)
  await sandbox.ok(['init', '--phrase-out', 'phrase'])
  await sandbox.ok(['run'])
  const packs = readdirSync(sandbox.path('sinks/one/packs'), { recursive: true, withFileTypes: true }).filter(
    (entry) => entry.isFile(),
  )
  expect(packs.length).toBeGreaterThan(3)
  const [first, second] = packs.map((entry) => `${entry.parentPath}/${entry.name}`)
  rmSync(first ?? '')
  await execa('dd', ['if=/dev/zero', `of=${second}`, 'bs=1M', 'count=1', 'seek=1', 'conv=notrunc'])
  const { code, err } = await sandbox.run(['restore', 'latest', '--phrase-file', 'phrase', '--to', 'back'])
  expect([0, 3]).toContain(code)
  expect(err).toContain(packs[0]?.name)
  expect(await difference(tree, sandbox.path('back/tree', tree))).toBe('')
})

test('after a kill at any moment each visible snapshot restores, and the next run finishes the work', async () => {
  using sandbox = new Sandbox()
  const tree = await prepared(sandbox)
  await sandbox.ok(['init', '--phrase-out', 'phrase'])
  for (let i = 0; i < 6; i++) {
    const stop = AbortSignal.timeout(150 + i * 120)
    await sandbox.run(['run'], { cancelSignal: stop, killSignal: 'SIGKILL' }).catch(() => undefined)
  }
  const report = last(await sandbox.ok(['run', '--json']))
  expect(report).toMatchObject({ exitCode: 0, copies: 3 })
  for (const sink of ['one', 'two', 'three']) {
    for (const line of (await sandbox.ok(['snapshots', '--json', '--from', sink]))
      .toString()
      .trim()
      .split('\n')) {
      const { id } = JSON.parse(line)
      const target = `back-${sink}-${id}`
      await sandbox.ok(['restore', id, '--from', sink, '--phrase-file', 'phrase', '--to', target])
      expect(await difference(tree, sandbox.path(target, 'tree', tree))).toBe('')
      rmSync(sandbox.path(target), { recursive: true })
    }
  }
})
