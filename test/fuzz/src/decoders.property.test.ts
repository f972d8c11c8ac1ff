import fc from 'fast-check'
import { expect, test } from 'vitest'
import { WORDS } from './dictionary.ts'
import { judge } from './judge.ts'
import { type FuzzTarget, loadTargets } from './target.ts'

const targets = await loadTargets()
const words = WORDS.filter(({ length }) => length < 100)
const inserted = fc.oneof(fc.constantFrom(...words), fc.uint8Array({ maxLength: 12 }))
const change = fc.record({ at: fc.nat(), removed: fc.nat(24), inserted })
type Change = typeof change extends fc.Arbitrary<infer T> ? T : never

/** What a target decodes, changed at one to three places; or bytes of any kind. */
function inputsOf({ seeds }: FuzzTarget): fc.Arbitrary<Uint8Array> {
  const changed = fc
    .tuple(fc.constantFrom(...seeds), fc.array(change, { minLength: 1, maxLength: 3 }))
    .map(([seed, changes]) => changes.reduce(apply, seed))
  return fc.oneof({ weight: 9, arbitrary: changed }, fc.uint8Array({ maxLength: 100 }))
}

function apply(bytes: Uint8Array, { at, removed, inserted: insert }: Change): Uint8Array {
  const from = at % (bytes.length + 1)
  return Buffer.concat([bytes.subarray(0, from), insert, bytes.subarray(from + removed)])
}

test.for(targets)('$name begins with what it decodes', async ({ seeds, isOfErrors, decode }) => {
  let failed = false
  try {
    await decode(seeds[0] ?? new Uint8Array())
  } catch {
    failed = true
  }
  expect(failed).toBe(isOfErrors === true)
})

test.for(targets)('$name answers bytes of any kind, or throws an error of ours', async (target) => {
  const property = fc.asyncProperty(inputsOf(target), async (bytes) => {
    expect(await judge(target, bytes)).toBeUndefined()
  })
  // Not made smaller: an input that takes long would do so each time.
  await fc.assert(property, { endOnFailure: true })
})
