import { defineConfig } from 'vitest/config'

// Tests import the packages from source: no build stands between an edit and its test.
const conditions = ['pipe-backup-src', 'node', 'import', 'default']

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ['{packages,apps}/*/src/**/*.test.ts', 'test/*/src/**/*.test.ts'],
    setupFiles: ['test/property-seed.ts'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // Processes, not threads: tests start worker threads and child processes, change the umask and the working directory.
    pool: 'forks',
    maxWorkers: 2,
  },
})
