import { rmSync, mkdirSync } from 'node:fs'
import { filesSource } from '../../source-files/src/index.ts'
import { localSink } from '../../sink-local/src/index.ts'
import { deriveKeys } from '@pipe-backup/crypto'
import { backup, createVaultHost, initVault, listSnapshots, openSnapshot, encodeHostKey, decodeHostKey } from './index.ts'
const [data, work, mode] = process.argv.slice(2) as [string, string, string]
const keys = await deriveKeys(new Uint8Array(32).fill(5))
if (mode === 'full') { rmSync(work, { recursive: true, force: true }); mkdirSync(work, { recursive: true }) }
const sinks = [1, 2, 3].map((n) => localSink({ name: `s${n}`, path: `${work}/s${n}`, create: true }))
console.log(await initVault({ sinks, publicKey: keys.publicKey }))
const hostFile = `${work}/host.key`
const fs = await import('node:fs')
if (!fs.existsSync(hostFile)) fs.writeFileSync(hostFile, encodeHostKey(createVaultHost(keys)))
const host = decodeHostKey(fs.readFileSync(hostFile, 'utf8'))
if (mode !== 'restore') {
  const report = await backup({ host, hostName: 'h', program: 't', sources: [filesSource({ name: 'data', paths: [data] })], sinks, copies: 3, stateDirectory: `${work}/state`,
    onProblem: (p) => console.error(p), onSinkProblem: (s, e) => console.error(s, e) })
  console.log(report, process.resourceUsage().maxRSS / 1024, process.cpuUsage())
} 
if (mode !== 'same' ) {
  const t = performance.now()
  const snaps = await listSnapshots({ sinks, keys })
  const reader = await openSnapshot({ sinks: [sinks[2]!], keys, snapshot: snaps.at(-1)!, onProblem: (e) => console.error(e) })
  const buf = new Uint8Array(1 << 20)
  let n = 0, bytes = 0, bad = 0
  for await (const e of reader.entries()) {
    n++
    if (e.type !== 'file') continue
    const real = fs.readFileSync('/' + Buffer.from(e.path).toString().slice(5))
    const r = await e.open(); let at = 0
    for (;;) { const got = await r.read(buf); if (!got) break; if (!real.subarray(at, at + got).equals(buf.subarray(0, got))) bad++; at += got }
    if (at !== real.length) bad++
    bytes += at; await r.finish()
  }
  console.log({ n, bytes, bad, s: (performance.now() - t) / 1000 }, process.resourceUsage().maxRSS / 1024)
}
