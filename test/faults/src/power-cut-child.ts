// Performs an operation on a vault that was saved, on disks of its own: `power-cut-child.ts DIRECTORY SCENARIO`.
import { join } from 'node:path'
import { localSink } from '@pipe-backup/sink-local'
import { CRASH_SCENARIOS } from './crash-scenarios.ts'
import { SmallVault } from './small-vault.ts'

const [root = '', name] = process.argv.slice(2)
const scenario = CRASH_SCENARIOS.find((one) => one.name === name)
if (!scenario) throw new Error(`there is no scenario ${name}`)
const sinks = ['a', 'b'].map((sink) => localSink({ name: sink, path: join(root, 'disk', sink) }))
await scenario.perform(SmallVault.open(root), sinks)
