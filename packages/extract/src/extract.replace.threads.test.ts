import { describe } from 'vitest'
import { useWay } from './test-support/either-way.ts'

useWay('by-threads')
describe('by threads', async () => {
  await import('./extract.replace.test.ts')
})
