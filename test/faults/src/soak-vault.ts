import { randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { Sandbox } from '@pipe-backup-test/e2e'
import { execa } from 'execa'
import type { Place } from './soak-places.ts'
import { pick } from './stress-harm.ts'
import { Tally } from './stress-tally.ts'

/** What is killed, and how often beside the others. */
const COMMANDS: readonly (readonly [name: string, weight: number, args: readonly string[]])[] = [
  ['run', 8, ['run']],
  ['prune', 3, ['prune', '--force']],
  ['prune', 2, ['prune', '--force', '--compact']],
  ['heal', 3, ['heal']],
  ['send', 3, ['send']],
  ['restore', 3, []],
]
const RESTORE = ['restore', 'latest', '--to', 'again'] as const
const FILES = 24
const STEADY_BYTES = 400_000
/** Each so many rounds everything that is there is restored from each sink. */
const FULL_EVERY = 8
/** Kills in a row, before what they have left is looked at. */
const MAX_KILLS = 6
const SINKS = ['disk', 'other'] as const

/** What the kills have come to. */
export class KillTally {
  /** By kind of sink and command. */
  readonly kills: Tally = new Tally()
  /** Those that ended before they were killed. */
  readonly survived: Tally = new Tally()
  readonly verified: Tally = new Tally()
  restored = 0
  bytesCompared = 0
  readonly violations: string[] = []
}

/** A vault of the real command on a disk and in one other place, whose processes are killed. */
export class SoakVault implements Disposable {
  readonly #sandbox = new Sandbox()
  readonly #place: Place
  readonly #random: () => number
  readonly #tally: KillTally
  /** The tree says of itself which edition it is: what its files were then. */
  readonly #editions = new Map<number, ReadonlyMap<string, Buffer>>()
  readonly #files = new Map<string, Buffer>()
  readonly #usualMs = new Map<string, number>()
  #edition = 0
  #rounds = 0

  static async create(
    place: (sandbox: Sandbox) => Place,
    random: () => number,
    tally: KillTally,
  ): Promise<SoakVault> {
    const vault = new SoakVault(place, random, tally)
    const sandbox = vault.#sandbox
    mkdirSync(sandbox.path('tree'))
    vault.#write('steady', randomBytes(STEADY_BYTES))
    for (let i = 0; i < FILES; i++) vault.#write(`small-${i}`, randomBytes(2000))
    sandbox.configure({
      sources: [{ type: 'files', name: 'tree', paths: [sandbox.path('tree')] }],
      sinks: [...sandbox.sinks('disk'), vault.#place.config],
      keep: { last: 3 },
      grace: '0s',
      copies: 2,
    })
    await sandbox.ok(['init', '--phrase-out', 'phrase'])
    vault.#change()
    // Each once in peace, so that it is known how long they take.
    for (const [name, , args] of COMMANDS) await vault.#must(name, args.length === 0 ? RESTORE : args)
    return vault
  }

  private constructor(place: (sandbox: Sandbox) => Place, random: () => number, tally: KillTally) {
    this.#place = place(this.#sandbox)
    this.#random = random
    this.#tally = tally
  }

  /** Kills some commands, one after the other, and looks at what is left. */
  async round(): Promise<void> {
    this.#rounds++
    let isAnySent = false
    for (let left = 1 + Math.floor(this.#random() * MAX_KILLS); left > 0; left--) {
      this.#change()
      const [name, args] = this.#choose()
      await this.#kill(name, args)
      await this.#forgetSessions()
      if (name === 'restore') await this.#checkRestored('again', undefined, args)
      isAnySent ||= name === 'send'
    }
    // What the killed ones have left half done is done by the next run; then all must be well.
    this.#change()
    await this.#must('run', ['run'])
    // An archive whose sending was killed between the proofs of two sinks is brought to the second one by this alone.
    if (isAnySent) await this.#must('heal', ['heal'])
    if (await this.#must('verify', ['verify'])) this.#tally.verified.add(this.#place.kind)
    const sink = pick(this.#random, SINKS) ?? 'disk'
    rmSync(this.#sandbox.path('back'), { recursive: true, force: true })
    await this.#checkRestored('back', this.#edition, ['restore', 'latest', '--from', sink, '--to', 'back'])
    if (isAnySent) await this.#checkArchives()
    if (this.#rounds % FULL_EVERY === 0) for (const one of SINKS) await this.#checkAll(one)
  }

  /** As if a day had passed: what dead processes have left behind counts for nothing then. */
  async #forgetSessions(): Promise<void> {
    await this.#place.forgetSessions()
    rmSync(this.#sandbox.path('sinks/disk/sessions'), { recursive: true, force: true })
  }

  #choose(): readonly [string, readonly string[]] {
    let left = this.#random() * COMMANDS.reduce((sum, [, weight]) => sum + weight, 0)
    const [name = 'run', , args = ['run']] = COMMANDS.find(([, weight]) => (left -= weight) < 0) ?? []
    // A restore is of what was stored before the last change; half of them over what is there already.
    if (name !== 'restore') return [name, args]
    if (this.#random() < 0.5) rmSync(this.#sandbox.path('again'), { recursive: true, force: true })
    return [name, RESTORE]
  }

  async #kill(name: string, args: readonly string[]): Promise<void> {
    const usual = this.#usualMs.get(name) ?? 0
    const cancelSignal = AbortSignal.timeout(Math.ceil(this.#random() * usual * 1.1))
    const started = performance.now()
    const options = { cancelSignal, killSignal: 'SIGKILL' as const }
    const { code, err } = await this.#sandbox.run(this.#withPhrase(args), options)
    const what = `${this.#place.kind} ${name}`
    if (code === undefined) return this.#tally.kills.add(what)
    this.#tally.survived.add(what)
    this.#learn(name, performance.now() - started)
    if (code !== 0) this.#violate(`${args.join(' ')} ends with ${code}: ${err}`)
  }

  #learn(name: string, ms: number): void {
    this.#usualMs.set(name, 0.7 * (this.#usualMs.get(name) ?? ms) + 0.3 * ms)
  }

  #withPhrase(args: readonly string[]): string[] {
    return [...args, ...(args[0] === 'restore' || args[0] === 'receive' ? ['--phrase-file', 'phrase'] : [])]
  }

  /** What must succeed. @returns whether it has */
  async #must(what: string, args: readonly string[]): Promise<boolean> {
    const started = performance.now()
    const { code, out, err } = await this.#sandbox.run(this.#withPhrase(args))
    this.#learn(what, performance.now() - started)
    if (code !== 0) this.#violate(`${args.join(' ')} ends with ${code}: ${out.toString()} ${err}`)
    return code === 0
  }

  /** @param edition - default the one that it says it is */
  async #checkRestored(
    directory: string,
    edition: number | undefined,
    args: readonly string[],
  ): Promise<void> {
    if (await this.#must('restore', args))
      this.#compare(directory, this.#sandbox.path('tree').slice(1), edition)
  }

  /** @param prefix - of the tree's files, below the source's name @param edition - default the one that it says it is */
  #compare(directory: string, prefix: string, edition?: number): void {
    const root = this.#sandbox.path(directory, 'tree', prefix)
    const found = Number(readFileSync(`${root}/edition`, 'utf8'))
    if (edition !== undefined && found !== edition)
      return this.#violate(`edition ${found} is restored, and not ${edition}`)
    const files = this.#editions.get(found)
    const names = readdirSync(root)
    if (!files || names.toSorted().join() !== [...files.keys()].toSorted().join())
      return this.#violate(`edition ${found} is restored with other files: ${names.join()}`)
    for (const [name, bytes] of files) {
      if (!bytes.equals(readFileSync(`${root}/${name}`)))
        return this.#violate(`${name} of edition ${found} has other bytes`)
      this.#tally.bytesCompared += bytes.length
    }
    this.#tally.restored++
  }

  /** All snapshots of a sink. */
  async #checkAll(sink: string): Promise<void> {
    for (const id of await this.#ids(['snapshots', '--json', '--from', sink])) {
      rmSync(this.#sandbox.path('all'), { recursive: true, force: true })
      if (await this.#must('restore', ['restore', id, '--from', sink, '--to', 'all']))
        this.#compare('all', this.#sandbox.path('tree').slice(1))
    }
  }

  /** The newest archive that counts: where none does, none was finished. */
  async #checkArchives(): Promise<void> {
    const ids = await this.#ids(['archives', '--json'])
    if (ids.length === 0) return
    const { code, out, err } = await this.#sandbox.run(this.#withPhrase(['receive', 'latest']))
    if (code !== 0) return this.#violate(`receive ends with ${code}: ${err}`)
    const directory = this.#sandbox.path('received')
    rmSync(directory, { recursive: true, force: true })
    mkdirSync(directory)
    await execa('tar', ['-x', '-C', directory], { input: out })
    this.#compare('received', this.#sandbox.path('tree').slice(1))
  }

  async #ids(args: readonly string[]): Promise<string[]> {
    const { code, out, err } = await this.#sandbox.run([...args])
    if (code !== 0) this.#violate(`${args.join(' ')} ends with ${code}: ${err}`)
    const lines = out.toString().split('\n').filter(Boolean)
    return lines.map((line) => String((JSON.parse(line) as { id: unknown }).id))
  }

  #change(): void {
    this.#edition++
    this.#write('edition', Buffer.from(String(this.#edition)))
    this.#write('changing', randomBytes(60_000))
    for (let i = 0; i < 3; i++)
      this.#write(
        `small-${Math.floor(this.#random() * FILES)}`,
        randomBytes(1 + Math.floor(this.#random() * 4000)),
      )
    this.#editions.set(this.#edition, new Map(this.#files))
  }

  #write(name: string, bytes: Buffer): void {
    writeFileSync(this.#sandbox.path('tree', name), bytes)
    this.#files.set(name, bytes)
  }

  #violate(what: string): void {
    this.#tally.violations.push(`${this.#place.kind}, round ${this.#rounds}: ${what}`)
  }

  [Symbol.dispose](): void {
    this.#sandbox[Symbol.dispose]()
  }
}
