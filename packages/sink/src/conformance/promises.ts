import type { Check } from './check.ts'
import { flow } from './flow.ts'
import { reading } from './reading.ts'
import { storing } from './storing.ts'

/** Every promise of `Sink` that can be checked without breaking its server. */
export const promises: Readonly<Record<string, Check>> = { ...storing, ...reading, ...flow }
