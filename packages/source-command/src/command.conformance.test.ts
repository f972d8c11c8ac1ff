import { describeSource } from '@pipe-backup/source/conformance'
import { commandSource } from './command.ts'

describeSource('command', {
  make: () => commandSource({ name: 'numbers', run: ['seq', '1', '20000'], path: 'out/numbers.txt' }),
})
