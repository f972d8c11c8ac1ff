const acts = new Set<() => void>()
let listening = false

/** Runs something when this process ends in any way but `kill -9`. @returns what takes it back */
export function onExit(act: () => void): () => void {
  acts.add(act)
  // One listener for all sinks: Node warns of more than ten.
  if (!listening) process.once('exit', runAll)
  listening = true
  return () => void acts.delete(act)
}

function runAll(): void {
  for (const act of acts) act()
}
