import { expect, test } from 'vitest'
import { readCorpus } from './corpus.ts'
import { judge } from './judge.ts'
import { loadTargets } from './target.ts'

const targets = await loadTargets()

test.for(targets)('$name takes every input of its corpus as it should', async (target) => {
  for (const input of [...target.seeds, ...readCorpus(target.name)])
    expect(await judge(target, input)).toBeUndefined()
})
