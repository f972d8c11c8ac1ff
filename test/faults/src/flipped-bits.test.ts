import { heal, prune, verify } from '@pipe-backup/vault'
import { expect, test } from 'vitest'
import { keys, SmallVault } from './small-vault.ts'

function flip(bytes: Uint8Array): void {
  const at = bytes.length >> 1
  bytes[at] = (bytes[at] ?? 0) ^ 4
}

/** Flips a bit of what this vault sends, in the memory that it is sent from, around its put to a sink: once, or with each of them. */
function flipIn(
  vault: SmallVault,
  prefix: string,
  sink: string,
  when: 'before' | 'after',
  each: boolean,
): () => void {
  const store = vault.store(sink)
  const put = store.put.bind(store)
  let flips = 0
  store.put = async (key, bytes, options) => {
    const isIt = key.startsWith(prefix) && (each || flips === 0)
    if (isIt) flips++
    if (isIt && when === 'before') flip(bytes)
    await put(key, bytes, options)
    if (isIt && when === 'after') flip(bytes)
  }
  return () => {
    store.put = put
    expect(flips).toBeGreaterThan(0)
  }
}

const CASES = ['packs/', 'index/', 'snapshots/'].flatMap((prefix) =>
  (['before', 'after'] as const).flatMap((when) => [
    { prefix, when, each: false },
    { prefix, when, each: true },
  ]),
)

test.for(CASES)(
  'a bit that flips in $prefix while it is sent, $when a put (each: $each): what is published restores, or the run fails',
  async ({ prefix, when, each }) => {
    using vault = await SmallVault.create(2)
    vault.live()
    expect(await vault.backUp()).toMatchObject({ exitCode: 0 })
    vault.live()
    const said: string[] = []
    const stop = flipIn(vault, prefix, 'a', when, each)
    const report = await vault.backUp(vault.stores, undefined, (line) => said.push(line))
    stop()
    expect(report.exitCode).not.toBe(0)
    expect(said.join()).toContain('has changed in memory while it was sent')
    for (const { name, state } of report.sinks)
      if (state === 'ok' && report.snapshot !== null)
        expect(await vault.flawsOf(vault.store(name))).toEqual([])

    vault.live()
    expect(await vault.backUp()).toMatchObject({ copies: 2 })
    const call = { ...vault.call, sinks: vault.stores }
    await heal({ ...call, isNew: () => false })
    expect(await heal({ ...call, isNew: () => false })).toMatchObject({ exitCode: 0 })
    expect(await verify({ ...call, deepKeys: keys })).toMatchObject({ exitCode: 0 })
    for (const store of vault.stores) expect(await vault.flawsOf(store)).toEqual([])
  },
)

test.for(['before', 'after'] as const)(
  'a bit that flips while a pack is healed, %s its put: it is not called level, and the next healing repairs it',
  async (when) => {
    using vault = await SmallVault.create(2)
    vault.live()
    await vault.backUp()
    const { objects } = vault.store('a')
    for (const key of objects.keys()) if (key.startsWith('packs/')) objects.delete(key)
    const call = { ...vault.call, sinks: vault.stores, isNew: () => false, onProblem: () => undefined }
    const stop = flipIn(vault, 'packs/', 'a', when, false)
    expect((await heal(call)).exitCode).not.toBe(0)
    stop()
    expect(await heal(call)).toMatchObject({ exitCode: 0 })
    for (const store of vault.stores) expect(await vault.flawsOf(store)).toEqual([])
  },
)

const COMPACTIONS = ['packs/', 'snapshots/'].flatMap((prefix) =>
  (['before', 'after'] as const).map((when) => ({ prefix, when })),
)

test.for(COMPACTIONS)(
  'a bit that flips in $prefix during a compaction, $when its put, takes nothing: a healing repairs it',
  async ({ prefix, when }) => {
    using vault = await SmallVault.create(2)
    for (let i = 0; i < 4; i++) {
      vault.live()
      await vault.backUp()
    }
    const said: string[] = []
    const call = { ...vault.call, sinks: vault.stores }
    const onProblem = (_: unknown, error: Error) => void said.push(error.message)
    const stop = flipIn(vault, prefix, 'a', when, false)
    const [first = ''] = vault.expected.keys()
    await prune({ ...call, compact: true, choose: () => new Set([first]), onProblem })
    stop()
    vault.expected.delete(first)
    expect(said.join()).toContain('has changed in memory while it was sent')
    expect(await vault.flawsOf(vault.store('b'))).toEqual([])
    await heal({ ...call, isNew: () => false })
    // What was sent, and changed, is condemned like all that nothing needs.
    for (let i = 0; i < 2; i++) {
      vault.passDays(2)
      await prune({ ...call, choose: () => new Set(), onProblem })
    }
    expect(await heal({ ...call, isNew: () => false })).toMatchObject({ exitCode: 0 })
    expect(await verify({ ...call, deepKeys: keys })).toMatchObject({ exitCode: 0 })
    for (const store of vault.stores) expect(await vault.flawsOf(store)).toEqual([])
  },
)
