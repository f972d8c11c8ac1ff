import { describe, test } from 'vitest'
import { promises } from './conformance/promises.ts'
import type { Source } from './source.ts'

export interface SourceSuiteOptions {
  /**
   * Makes the source under test, for each test again. It must hold at least one file with bytes, stay as it is while it
   * is read, and give the same bytes each time.
   */
  readonly make: () => Source | Promise<Source>
}

/**
 * The suite that every source must pass, as a `describe` block of vitest: walk order, path rules, metadata,
 * re-readability, the reader's contract, aborting.
 */
export function describeSource(name: string, options: SourceSuiteOptions): void {
  describe(`source ${name}`, () => {
    test.for(Object.entries(promises))('%s', async ([, check]) => {
      await check(options.make)
    })
  })
}
