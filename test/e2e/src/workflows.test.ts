import { existsSync, globSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'

const ROOT = resolve(import.meta.dirname, '../../..')
const WORKFLOWS = globSync('.github/workflows/*.yml', { cwd: ROOT })
const { scripts, devDependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))

interface Step {
  readonly uses?: string
  readonly run?: string
}

interface Job extends Step {
  readonly needs?: string
  readonly 'timeout-minutes'?: number
  readonly steps?: readonly Step[]
}

interface Workflow {
  readonly permissions?: Readonly<Record<string, string>>
  readonly jobs: Readonly<Record<string, Job>>
}

/** What a workflow calls that is not there. */
function missing({ jobs }: Workflow): string[] {
  return Object.values(jobs).flatMap((job) => {
    const found: string[] = []
    if (job.needs !== undefined && !(job.needs in jobs)) found.push(`job ${job.needs}`)
    for (const { uses = '', run = '' } of [job, ...(job.steps ?? [])]) {
      if (uses.startsWith('./') && !existsSync(join(ROOT, uses))) found.push(uses)
      // A moving branch of somebody else's would run here with our rights.
      if (uses !== '' && !uses.startsWith('./') && !/^actions\/[\w-]+@(v\d+|[0-9a-f]{40})$/.test(uses))
        found.push(`${uses}: not pinned, or not GitHub's own`)
      for (const [, name = ''] of run.matchAll(/npm run (?:--silent )?([\w:-]+)/g))
        if (!(name in scripts)) found.push(`npm run ${name}`)
      for (const [, file = ''] of run.matchAll(/\b(?:sh|node) (?!-)(\S+)/g))
        if (!existsSync(join(ROOT, file))) found.push(file)
      for (const [, program = ''] of run.matchAll(/npx ([\w-]+)/g))
        if (!Object.keys(devDependencies).some((name) => name.includes(program))) found.push(`npx ${program}`)
    }
    return found
  })
}

test('there are workflows, and each npm script calls files that are there', () => {
  expect(WORKFLOWS.map((file) => file.split('/').at(-1))).toEqual(
    expect.arrayContaining(['ci.yml', 'release.yml']),
  )
  for (const script of Object.values<string>(scripts))
    for (const [, file = ''] of script.matchAll(/(?:sh|node)(?: --\S+)* ([\w./-]+\.(?:sh|ts))/g))
      expect(existsSync(join(ROOT, file)), file).toBe(true)
})

test('a workflow that calls what is not there would be found', () => {
  const steps = [
    { run: 'sh .ci/run && npm run lint && sh .ci/none && npm run none && npx none' },
    { uses: 'somebody/thing@main' },
  ]
  expect(missing({ jobs: { a: { needs: 'b', steps } } })).toEqual([
    'job b',
    'npm run none',
    '.ci/none',
    'npx none',
    "somebody/thing@main: not pinned, or not GitHub's own",
  ])
})

test.for(WORKFLOWS)('all that %s calls is there, and it may do no more than it says', (file) => {
  const workflow: Workflow = parse(readFileSync(join(ROOT, file), 'utf8'))
  expect(missing(workflow)).toEqual([])
  expect(workflow.permissions).toEqual({ contents: 'read' })
  for (const job of Object.values(workflow.jobs))
    if (job.steps) expect(job['timeout-minutes']).toBeGreaterThan(0)
})

test('the top level has nothing but what it is known for', () => {
  const named = [
    'LICENSE',
    'README.md',
    'apps',
    'docs',
    'package-lock.json',
    'package.json',
    'packages',
    'test',
  ]
  const configured = ['biome.json', 'knip.json', 'turbo.json', 'vitest.config.ts']
  const known = new Set([...named, ...configured, 'node_modules', 'dist', 'coverage'])
  const others = globSync('*', { cwd: ROOT }).filter(
    (name) => !known.has(name) && !/^tsconfig.*\.json$/.test(name),
  )
  expect(others).toEqual([])
})
