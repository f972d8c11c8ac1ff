import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { judge } from './judge.ts'
import { runTarget, type TargetReport } from './run-target.ts'
import { loadTargets } from './target.ts'

const { values: given } = parseArgs({
  options: {
    minutes: { type: 'string', default: '5' },
    target: { type: 'string', multiple: true },
    seed: { type: 'string', default: '1' },
    replay: { type: 'string' },
    save: { type: 'string', default: '0' },
  },
})

const print = (line: string): boolean => process.stdout.write(`${line}\n`)
const all = await loadTargets()
const chosen = all.filter(({ name }) => given.target?.includes(name) ?? true)
const [first] = chosen
if (!first || chosen.length < (given.target?.length ?? 1)) {
  print(`no such target; there are: ${all.map(({ name }) => name).join(', ')}`)
  process.exit(2)
}
process.exitCode = given.replay === undefined ? await fuzzAll() : await replay(first, given.replay)
// Servers of targets may still listen.
process.exit()

/** @returns the exit code */
async function fuzzAll(): Promise<number> {
  const seconds = (Number(given.minutes) * 60) / chosen.length
  print(row('target', 'inputs', 'per second', 'blocks', 'corpus', 'seconds', 'findings'))
  let found = 0
  let inputs = 0
  for (const { name } of chosen) {
    const report = await runTarget({ name, seed: Number(given.seed), seconds, save: Number(given.save) })
    printReport(report)
    found += report.findings.length
    inputs += report.inputs
  }
  print(`${inputs} inputs, ${found} findings, seed ${given.seed}`)
  return found > 0 ? 1 : 0
}

function printReport({ name, inputs, blocks, corpus, seconds, findings }: TargetReport): void {
  const speed = Math.round(inputs / seconds)
  print(row(name, inputs, speed, blocks, corpus, Math.round(seconds), findings.length))
  for (const { message, file } of findings) {
    print(`  ${message}`)
    print(`  again: npm run fuzz -- --target ${name} --replay ${file}`)
  }
}

async function replay(target: (typeof all)[number], file: string): Promise<number> {
  const flaw = await judge(target, readFileSync(file))
  print(flaw ? flaw.message : 'as it should be')
  return flaw ? 1 : 0
}

function row(name: string, ...cells: readonly (string | number)[]): string {
  return name.padEnd(22) + cells.map((cell) => String(cell).padStart(11)).join('')
}
