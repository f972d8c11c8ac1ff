import { name as nameSchema } from '../config/values.ts'
import type { Options } from './ask-options.ts'
import type { Asker } from './asker.ts'

/** Asks what something is called: as its type, unless another is called so. @param others - whose names are taken */
export async function askName(asker: Asker, suggested: string, others: readonly Options[]): Promise<string> {
  const free = freeName(suggested, others)
  for (;;) {
    const name = await asker.line('  name', free)
    const { success, error } = nameSchema.safeParse(name, { reportInput: true })
    const isTaken = others.some((other) => other['name'] === name)
    if (success && !isTaken) return name
    asker.say(isTaken ? `  ${name} is taken.` : `  ${error?.issues[0]?.message}.`)
  }
}

/** `files`, or `files-2` where that is taken. */
export function freeName(wanted: string, others: readonly Options[]): string {
  for (let count = 1; ; count++) {
    const name = count === 1 ? wanted : `${wanted}-${count}`
    if (others.every((other) => other['name'] !== name)) return name
  }
}
