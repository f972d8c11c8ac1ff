import { statSync } from 'node:fs'
import { join } from 'node:path'
import { configDefaults, defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

// Tests import the packages from source: no build stands between an edit and its test.
const conditions = ['pipe-backup-src', 'node', 'import', 'default']

/** Roughly how many seconds a test file takes, where that can't be reported from its size; the longest begin, and none is left alone at the end. */
const SECONDS: readonly (readonly [path: RegExp, seconds: number])[] = [
  [/six-places.*\.test\.ts$/, 120],
  [/sink-(rsync|sftp)\/.*conformance\.test\.ts$/, 100],
  [/sink-.*conformance\.test\.ts$/, 60],
  [/sink-rsync\/.*\.test\.ts$/, 50],
  [/apps\/pipe-backup\/src\/main\.test\.ts$/, 50],
  [/test\/(e2e|faults)\/.*\.test\.ts$/, 20],
  [/(restic|backup\.sinks|prune)\.test\.ts$/, 30],
]

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const seconds = ({ moduleId }: TestSpecification) =>
      SECONDS.find(([path]) => path.test(moduleId))?.[1] ?? statSync(moduleId).size / 1000
    return files.toSorted((a, b) => seconds(b) - seconds(a))
  }
}

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ['{packages,apps}/*/src/**/*.test.ts', 'test/*/src/**/*.test.ts'],
    // By `npm run test:swift` alone: what these start are five programs in Python.
    exclude: [...configDefaults.exclude, ...(process.env['SWIFT'] ? [] : ['**/*.swift.test.ts'])],
    setupFiles: ['test/property-seed.ts'],
    // They end what hangs. How fast a test is depends on what else the machine does; one that is about time measures it.
    testTimeout: 240_000,
    hookTimeout: 240_000,
    expect: { poll: { timeout: 120_000 } },
    sequence: { sequencer: LongestFirst },
    // Processes, not threads: tests start worker threads and child processes, change the umask and the working directory.
    pool: 'forks',
    // Twice as many as the two processors of the smallest machine they run on: many wait for servers.
    maxWorkers: 4,
    // Tests that say they are concurrent: those that wait for programs of their own.
    maxConcurrency: 3,
    // The programs and worker threads that tests start don't compile everything again each time.
    env: { NODE_COMPILE_CACHE: join(import.meta.dirname, 'node_modules/.cache/compile') },
  },
})
