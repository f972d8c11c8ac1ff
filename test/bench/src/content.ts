import { pick, pickEarly, type Random, random, randomBytes } from './random.ts'
import { capitalised, WORDS } from './words.ts'

const MIB = 1024 * 1024

const LINES: readonly ((next: Random, word: () => string) => string)[] = [
  (next, w) => `const ${w()} = ${w()}.${w()}(${w()}, ${next() % 100});`,
  (_, w) => `if (${w()} === ${w()}.${w()}) {`,
  (_, w) => `  return ${w()}(${w()}.${w()}, '${w()}');`,
  () => '}',
  (_, w) => `// ${w()} ${w()} ${w()} the ${w()} ${w()} of ${w()}`,
  (_, w) => `export function ${w()}${capitalised(w())}(${w()}: ${capitalised(w())}, ${w()}?: string) {`,
  (next, w) => `this.${w()} = new ${capitalised(w())}({ ${w()}: ${w()}, ${w()}: ${next() % 1000} });`,
  (_, w) => `for (const ${w()} of ${w()}.${w()}) {`,
  (_, w) => `await ${w()}.${w()}(\`${w()}-\${${w()}}\`);`,
  () => '',
  (_, w) => `throw new ${capitalised(w())}Error('${w()} ${w()} ${w()}');`,
  (_, w) => `import { ${w()}, ${capitalised(w())} } from './${w()}/${w()}.js';`,
]

/** Text like source code, of so many bytes. Each text mixes a few names of its own with the common ones. */
export function sourceText(next: Random, bytes: number): string {
  const own = Array.from({ length: 24 }, () => pick(next, WORDS) + capitalised(pick(next, WORDS)))
  const word = () => (next() & 3 ? pickEarly(next, WORDS) : pick(next, own))
  const lines: string[] = []
  for (let length = 0; length < bytes; ) {
    const line = '  '.repeat(next() % 4) + pick(next, LINES)(next, word)
    lines.push(line)
    length += line.length + 1
  }
  return `${lines.join('\n').slice(0, Math.max(1, bytes - 1))}\n`
}

/** A small file's size: log-normal with a mean of about 4 KiB, from 40 bytes to 256 KiB. */
function smallFileBytes(next: Random): number {
  const [u, v] = [(next() + 1) / (2 ** 32 + 1), next() / 2 ** 32]
  const normal = Math.sqrt(-2 * Math.log(u)) * Math.cos(2 * Math.PI * v)
  return Math.round(Math.min(262_144, Math.max(40, Math.exp(7.83 + normal))))
}

const EXTENSIONS = ['ts', 'ts', 'ts', 'js', 'js', 'json', 'md', 'css', 'd.ts', 'map']

/** Path of the i-th small file: fifty to a directory, three to four levels deep. */
export function smallFilePath(i: number): string {
  const directory = Math.floor(i / 50)
  const parts = [
    `pkg${String(Math.floor(directory / 40)).padStart(3, '0')}`,
    `src${Math.floor(directory / 8) % 5}`,
    `mod${directory % 8}`,
  ]
  if (directory % 3 === 0) parts.push('inner')
  return [...parts, `${WORDS[(i * 7919) % WORDS.length]}_${i}.${EXTENSIONS[i % EXTENSIONS.length]}`].join('/')
}

/** The i-th small file. One in fifty is one of eight texts that come again and again, as licences do. */
export function smallFile(i: number): string {
  if (i % 50 === 49) {
    const licence = Math.floor(i / 50) % 8
    return sourceText(random('licence', licence), 1100 + licence * 700)
  }
  const next = random('tree', i)
  return sourceText(next, smallFileBytes(next))
}

export function stateFileName(n: number): string {
  return `${String(n).padStart(6, '0')}.ldb`
}

/** About 2 MiB of records like a chain state's in LevelDB: random keys, and values partly zero, pooled and random. */
export function stateFile(n: number): Buffer {
  const next = random('state', n)
  const raw = randomBytes('state', n)(2 * MIB)
  const pool = randomBytes('state-pool')(64 * 32)
  const size = 2 * MIB - (next() % 8192)
  const out = Buffer.alloc(size + 512)
  let at = 0
  let from = 0
  let sequence = (n % 100_000) * 20_000
  const takeRandom = (bytes: number) => {
    if (from + bytes > raw.length) from = 0
    raw.copy(out, at, from, from + bytes)
    from += bytes
    at += bytes
  }
  const takePooled = () => {
    const start = (next() % 64) * 32
    at += pool.copy(out, at, start, start + 32)
  }
  while (at < size - 64) {
    at = out.writeUInt16BE(0x0161, at)
    takeRandom(20)
    at = out.writeUInt32BE(0, at)
    at = out.writeUInt32BE(sequence++, at)
    at = out.writeUInt16BE(0xf844, at)
    at = out.writeUInt16BE(next() % 300, at) + 22
    takeRandom(10)
    if (next() % 10 < 4) takeRandom(32)
    else takePooled()
    takePooled()
    takeRandom(next() % 48)
  }
  return out.subarray(0, size)
}
